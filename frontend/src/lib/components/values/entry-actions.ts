import type { Snippet } from 'svelte';
import type { EmbeddedExpression } from '#lib/values/embedded-expression.ts';
import type { ValueSchema } from '#lib/values/value-schema.ts';

/** What can be done with an entry of an object or a list besides giving it a value. */
export interface EntryActions {
	/** The field of an entry that is an expression. */
	expression: Snippet<[expression: EmbeddedExpression, name: string, onchange: (value: unknown) => void]>;
	/** Buttons beside an entry. */
	buttons: Snippet<[value: unknown, name: string, schema: ValueSchema, onchange: (value: unknown) => void]>;
}

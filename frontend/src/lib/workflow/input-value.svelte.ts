import { hasExpression } from '#lib/values/embedded-expression.ts';
import { formatLiteral, parseLiteral } from '#lib/values/literals.ts';
import { readTransform } from './transforms.ts';
import type { WorkflowEditing } from './workflow-editing.svelte.ts';

/** The parts of the editing of a workflow that an input needs. */
type Editing = Pick<WorkflowEditing, 'set' | 'keep' | 'kept'>;

/**
 * The value of an input in the panel: fixed, or an expression. An object or a list with expressions as entries is one
 * expression in the document, and is shown as rows here.
 */
export class InputValue {
	readonly #editing: Editing;
	readonly #pointer: () => string;
	readonly #transform: () => unknown;
	/** Whether the user asked for the text of an expression that could be shown as rows. */
	#wantsText = $state(false);
	/** What was written last. While an entry is typed, its expression can't always be read back. */
	#written = $state.raw<{ source: string; value: unknown } | null>(null);

	constructor(editing: Editing, pointer: () => string, transform: () => unknown) {
		this.#editing = editing;
		this.#pointer = pointer;
		this.#transform = transform;
	}

	readonly #read = $derived.by(() => readTransform(this.#transform()));
	/** The entries of an expression that is an object or a list. */
	readonly #literal = $derived.by(() => {
		const source = this.#read?.type === 'javascript' ? this.#read.expr : undefined;
		if (source === undefined) return undefined;
		if (source === this.#written?.source) return this.#written.value;
		const value = parseLiteral(source);
		// An empty list or object says nothing about what is meant: a new loop goes through `[]`.
		return typeof value === 'object' && value !== null && Object.keys(value).length > 0 ? value : undefined;
	});

	/** Whether the document gives the input. */
	get isSet(): boolean {
		return this.#read !== null && (this.#read.type === 'javascript' || this.#read.value !== undefined);
	}

	/** How the input is shown. */
	get mode(): 'static' | 'javascript' {
		return this.#read?.type === 'javascript' && (this.#wantsText || this.#literal === undefined) ? 'javascript' : 'static';
	}

	/** The source of the expression; empty for a fixed value. */
	get expression(): string {
		return this.#read?.type === 'javascript' ? this.#read.expr : '';
	}

	/** The value, with its expressions embedded; `undefined` if none is set. */
	get value(): unknown {
		return this.#read?.type === 'static' ? this.#read.value : this.#literal;
	}

	/** Sets a value that may have expressions inside it; `undefined` removes it. */
	setValue(value: unknown): void {
		if (value === undefined) return this.clear();
		if (!hasExpression(value)) return this.#editing.set([this.#pointer(), { type: 'static', value }]);
		const source = formatLiteral(value);
		this.#written = { source, value };
		this.setExpression(source);
	}

	/** Sets the source of an expression. */
	setExpression(source: string): void {
		this.#editing.set([this.#pointer(), { type: 'javascript', expr: source }]);
	}

	/** Makes the input a reference to a chosen value. */
	connect(source: string): void {
		this.#keep();
		this.#wantsText = true;
		this.setExpression(source);
	}

	/** Removes the value, so that the default applies. */
	clear(): void {
		this.#written = null;
		this.#editing.set([this.#pointer(), undefined]);
	}

	/** Changes the form of the value. The value in the other form comes back when the form is changed again. */
	switchTo(next: 'static' | 'javascript'): void {
		if (next === this.mode) return;
		this.#wantsText = next === 'javascript';
		// The same expression is shown in another way.
		if (this.#read?.type === 'javascript' && this.#literal !== undefined) return;
		const before = this.value;
		this.#keep();
		const kept = this.#editing.kept(`${this.#pointer()}#${next}`);
		if (next === 'static') this.#editing.set([this.#pointer(), kept === undefined ? undefined : { type: 'static', value: kept }]);
		else if (typeof kept === 'string') this.setExpression(kept);
		else this.setExpression(typeof before === 'object' && before !== null ? formatLiteral(before) : '');
	}

	/** Keeps the current value in its form. */
	#keep(): void {
		if (this.#read?.type === 'javascript') this.#editing.keep(`${this.#pointer()}#javascript`, this.#read.expr);
		else if (this.#read?.value !== undefined) this.#editing.keep(`${this.#pointer()}#static`, this.#read.value);
	}
}

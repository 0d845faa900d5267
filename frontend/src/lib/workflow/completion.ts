import type { Catalog, Core, ExpressionCompletions } from '#lib/core.ts';
import type { PartSuggestions, TextSuggestion } from '#lib/editor/knowledge.ts';
import { describeLiveValue } from './live-value.ts';
import { findEntry } from './scope-search.ts';
import type { ScopeEntry } from './scope.ts';

/** A path such as `results.draw?.images[0]` at the end of a text. */
const PATH_AT_END = /[A-Za-z_$][\w$]*(?:\??\.[\w$]+|(?:\?\.)?\["[^"]*"\]|(?:\?\.)?\[\d+\])*$/;

/** An expression in an OpenFlow document. */
export interface ExpressionPlace {
	document: unknown;
	catalog: Catalog;
	/** JSON Pointer of the expression in the document. */
	pointer: string;
	/** What it can refer to, with the values of the last run. */
	scope: readonly ScopeEntry[];
}

/** Suggests what can be written behind `before` in an expression: what the core accepts there, and what the last run had there. */
export async function completeExpression(core: Pick<Core, 'complete'>, { document, catalog, pointer, scope }: ExpressionPlace, before: string): Promise<PartSuggestions | null> {
	const found = await core.complete({ text: JSON.stringify(document), pointer: '' }, catalog, pointer, before);
	return found && addLiveValues(found, before, scope);
}

/** Adds to completions their values in the last run, and those parts that only these values have. */
function addLiveValues({ replaced, options }: ExpressionCompletions, before: string, scope: readonly ScopeEntry[]): PartSuggestions {
	const from = before.length - replaced;
	const link = /^\?\./.exec(before.slice(from))?.[0] ?? '';
	const path = /^[.?[]/.test(before.slice(from)) ? (PATH_AT_END.exec(before.slice(0, from))?.[0] ?? '') : '';
	const holder = path.replaceAll('?.[', '[').replaceAll('?.', '.');
	const declared = options.map(({ label, insert, type, description }): TextSuggestion => {
		const sample = findEntry(holder + insert, scope)?.sample;
		return { label, insert, info: description, detail: describe(type, sample) };
	});
	const known = new Set(options.map(({ insert }) => insert.replace('?.[', '[').replace('?.', '.')));
	const others = holder === '' ? [] : (findEntry(holder, scope)?.children ?? []);
	const further = others.flatMap(({ label, expression, type, description, sample }): TextSuggestion[] => {
		const insert = expression.slice(holder.length);
		return known.has(insert) ? [] : [{ label, insert: link === '' ? insert : `?.${insert.replace(/^\./, '')}`, info: description, detail: describe(type, sample) }];
	});
	return { from, suggestions: [...declared, ...further] };
}

function describe(type: string, sample: unknown): string {
	return sample === undefined ? type : `${type} = ${describeLiveValue(sample)}`.trim();
}

import type { Range } from './pointers.ts';
import { literalsOf, schemasAt, type Schema } from './schema.ts';

/** Text of a new value, and the part of it that is written first. */
export interface Stub {
	text: string;
	/** Selected after the insertion, relative to the text. */
	hole: Range;
}

/** How deep the required properties of a new object are written. */
const MAX_DEPTH = 4;

/** Text of a new value for a schema: its required properties, with empty values. */
export function stubFor(root: Schema, schema: Schema, indent: string, unit: string): Stub {
	return renderStub(emptyValue(root, schema, MAX_DEPTH), indent, unit);
}

/** Text of a value, and its first part that is empty. `indent` is the indentation of the line. */
export function renderStub(value: unknown, indent: string, unit: string): Stub {
	const text = (JSON.stringify(value, null, unit) ?? 'null').replaceAll('\n', `\n${indent}`);
	const hole = /(?<=")(?=")(?<=: "|^"|\[\s*")|(?<=\{)(?=\})|(?<=\[)(?=\])|(?<=: |^|\[\s*)(?:null|true|false|-?[\d.]+)(?=[,\s}\]]|$)/.exec(text);
	if (!hole) return { text, hole: { from: text.length, to: text.length } };
	return { text, hole: { from: hole.index, to: hole.index + hole[0].length } };
}

function emptyValue(root: Schema, schema: Schema, depth: number): unknown {
	const options = schemasAt({ ...schema, $defs: root.$defs }, [], undefined);
	const [chosen = {}, ...others] = options;
	const shared = others.length > 0 ? sharedProperties(options) : null;
	if (shared) return Object.fromEntries(shared.map((name) => [name, '']));
	const literals = literalsOf(options).map(({ value }) => value);
	if (literals.length > 1 && others.length > 0) return '';
	if (chosen.const !== undefined) return chosen.const;
	const { default: fallback, examples, minimum } = chosen;
	switch ([chosen.type ?? (chosen.properties ? 'object' : '')].flat()[0]) {
		case 'string':
			return '';
		case 'array':
			return [];
		case 'boolean':
			// A boolean that is written is rarely the default.
			return fallback === undefined ? true : !fallback;
		case 'number':
		case 'integer':
			return examples?.[0] ?? fallback ?? minimum ?? 0;
		case 'object': {
			const required = depth > 0 ? (chosen.required ?? []) : [];
			return Object.fromEntries(required.flatMap((name) => (chosen.properties?.[name] ? [[name, emptyValue(root, chosen.properties[name], depth - 1)]] : [])));
		}
		default:
			return literals.length > 0 ? '' : null;
	}
}

/** The properties by which alternatives are told apart: those with a constant in each of them. */
function sharedProperties(options: readonly Schema[]): string[] | null {
	const [first] = options;
	const names = Object.entries(first?.properties ?? {}).flatMap(([name, { const: constant }]) => (constant === undefined ? [] : [name]));
	const shared = names.filter((name) => options.every(({ properties }) => properties?.[name]?.const !== undefined));
	return shared.length > 0 ? shared : null;
}

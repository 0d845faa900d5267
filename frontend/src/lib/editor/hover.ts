import { parse } from 'jsonc-parser';
import { cursorAt, type Cursor } from './cursor.ts';
import type { Knowledge, Place } from './knowledge.ts';
import type { Range } from './pointers.ts';
import { describeType, propertiesOf, schemasAt, valueAtPath, type Path, type Schema } from './schema.ts';
import { decodeString } from './string-positions.ts';

/** An explanation of a part of the text. */
export interface Explanation {
	range: Range;
	/** The explanation in Markdown. */
	text: string;
}

/** Explains the key or value at a position of JSON text; null if nothing is known about it. */
export function explainJson(text: string, position: number, knowledge: Knowledge): Explanation | null {
	const cursor = tokenAt(text, position);
	if (!cursor) return null;
	const document: unknown = parse(text, [], { allowTrailingComma: true });
	if (cursor.kind === 'key') {
		const key = cursor.string ? decodeString(text, cursor.string).value : '';
		const about = describeProperty(knowledge.schema, cursor.path, key, document);
		return about === null ? null : { range: cursor.token, text: about };
	}
	const schemas = schemasAt(knowledge.schema, cursor.path, document);
	const place: Place = { path: cursor.path, formats: schemas.flatMap(({ format }) => format ?? []), document };
	const found = knowledge.explain(place, valueAtPath(document, cursor.path), cursor.string && offsetIn(text, cursor.string, position)) ?? describeSchemas(knowledge.schema, schemas);
	return found === null ? null : { range: cursor.token, text: found };
}

/** The token at a position, or the one that begins there. */
function tokenAt(text: string, position: number): Cursor | null {
	const cursor = cursorAt(text, position);
	if (cursor && cursor.token.to > cursor.token.from) return cursor;
	const next = cursorAt(text, position + 1);
	return next && next.token.to > next.token.from ? next : null;
}

function offsetIn(text: string, string: Range, position: number): number {
	const { value, offsets } = decodeString(text, string);
	const offset = offsets.findIndex((at) => at >= position);
	return offset < 0 ? value.length : offset;
}

/** Describes a property of an object: what it means, its type, and whether it must be there. */
function describeProperty(root: Schema, path: Path, key: string, document: unknown): string | null {
	const declared = propertiesOf(schemasAt(root, path, document)).get(key);
	const schemas = schemasAt(root, [...path, key], document);
	const about = schemas.length > 0 ? describeSchemas(root, [...(declared ? [declared.schema] : []), ...schemas]) : null;
	if (about === null) return null;
	return `**${key}**${declared?.required ? ' (required)' : ''}\n\n${about}`;
}

function describeSchemas(root: Schema, schemas: readonly Schema[]): string | null {
	const [first] = schemas;
	if (!first) return null;
	const about = schemas.find(({ description }) => description)?.description;
	const fallback = schemas.find((schema) => schema.default !== undefined)?.default;
	const bounds = schemas.map(({ minimum, maximum }) => [minimum === undefined ? '' : `at least ${minimum}`, maximum === undefined ? '' : `at most ${maximum}`].filter(Boolean).join(', ')).find(Boolean);
	const facts = [`Type: ${describeType(root, first)}`, bounds ?? '', fallback === undefined ? '' : `default: \`${JSON.stringify(fallback)}\``].filter(Boolean).join(', ');
	return [about, facts].filter(Boolean).join('\n\n');
}

import { parse } from 'jsonc-parser';
import { cursorAt, type Cursor } from './cursor.ts';
import type { TextChange } from './json-edit.ts';
import type { Knowledge, Place, Suggestion, TextSuggestion } from './knowledge.ts';
import type { Range } from './pointers.ts';
import { describeType, literalsOf, propertiesOf, schemasAt, valueAtPath, type Schema } from './schema.ts';
import { decodeString, encodeInString } from './string-positions.ts';
import { renderStub, stubFor, type Stub } from './stubs.ts';

/** A completion of JSON text. */
export interface Completion {
	label: string;
	detail: string;
	info: string;
	kind: 'key' | 'value' | 'object' | 'part';
	/** Order in the list: higher ones first. */
	boost: number;
	/** Changes of the text, all of which refer to it as it is. */
	changes: TextChange[];
	/** Selected afterwards. */
	selection: Range;
	/** Whether there is more to complete there. */
	continues: boolean;
}

/** Completions at a position, and the start of the text by which they are filtered. */
export interface Completions {
	from: number;
	options: Completion[];
}

/** Completes JSON text at a position. The text need not be valid. */
export async function completeJson(text: string, position: number, knowledge: Knowledge): Promise<Completions | null> {
	const cursor = cursorAt(text, position);
	if (!cursor) return null;
	const document: unknown = parse(text, [], { allowTrailingComma: true });
	const object = valueAtPath(document, cursor.path);
	const schemas = schemasAt(knowledge.schema, cursor.path, document);
	const place: Place = { path: cursor.path, formats: schemas.flatMap(({ format }) => format ?? []), document };
	const writer = new Writer(text, cursor);
	if (cursor.kind === 'key') {
		const options = completeKeys(writer, cursor, keysOf(object, text, cursor), schemas, place, knowledge);
		return { from: cursor.string?.from ?? cursor.token.from, options };
	}
	const part = cursor.string && (await completePart(text, position, cursor.string, place, knowledge));
	if (part) return part;
	return { from: cursor.string?.from ?? cursor.token.from, options: completeValues(writer, cursor, schemas, place, knowledge) };
}

/** The same completion after more of its label was typed at the position that it was made for. */
export function moveEnd(completion: Completion, position: number, typed: number): Completion {
	return { ...completion, changes: completion.changes.map((change) => (change.to < position ? change : { ...change, to: change.to + typed })) };
}

/** Keys of the object, without the one at the cursor. */
function keysOf(object: unknown, text: string, { string }: Cursor): ReadonlySet<string> {
	const keys = new Set(typeof object === 'object' && object !== null ? Object.keys(object) : []);
	if (string) keys.delete(text.slice(string.from, string.to));
	return keys;
}

function completeKeys(writer: Writer, cursor: Cursor, used: ReadonlySet<string>, schemas: readonly Schema[], place: Place, knowledge: Knowledge): Completion[] {
	const { schema: root } = knowledge;
	const known = knowledge.keys(place).map(({ label, detail = '', info = '', value }) => ({ label, detail, info, boost: 2, stub: renderStub(value, writer.itemIndent, writer.unit) }));
	const declared = [...propertiesOf(schemas)].map(([label, { schema, required }]) => ({
		label,
		detail: describeType(root, schema),
		info: schemasAt({ ...schema, $defs: root.$defs }, [], undefined)[0]?.description ?? schema.description ?? '',
		boost: required ? 1 : 0,
		stub: stubFor(root, schema, writer.itemIndent, writer.unit)
	}));
	return [...known, ...declared]
		.filter(({ label }) => !used.has(label))
		.map(({ stub, ...about }) => {
			if (cursor.next === ':') return { ...about, kind: 'key' as const, ...writer.replace({ text: JSON.stringify(about.label), hole: { from: JSON.stringify(about.label).length, to: JSON.stringify(about.label).length } }, false) };
			const head = `${JSON.stringify(about.label)}: `;
			return { ...about, kind: 'key' as const, ...writer.replace({ text: head + stub.text, hole: { from: head.length + stub.hole.from, to: head.length + stub.hole.to } }, true) };
		});
}

function completeValues(writer: Writer, cursor: Cursor, schemas: readonly Schema[], place: Place, knowledge: Knowledge): Completion[] {
	const { schema: root } = knowledge;
	const listed: Suggestion[] = [
		...knowledge.values(place),
		...literalsOf(schemas).map(({ value, about }) => ({ label: String(value), detail: about, value })),
		...schemas.flatMap(({ default: fallback, examples = [], format }) => (format ? [] : [fallback, ...examples])).flatMap((value) => (value === undefined || typeof value === 'object' ? [] : [{ label: String(value), detail: 'example', value }]))
	];
	const unique = listed.filter(({ label }, index) => label !== '' && listed.findIndex((other) => other.label === label) === index);
	const written = unique.map(({ label, detail = '', info = '', value }, index): Completion => {
		const stub = typeof value === 'object' && value !== null ? renderStub(value, writer.itemIndent, writer.unit) : atEnd(JSON.stringify(value));
		return { label, detail, info, kind: typeof value === 'object' && value !== null ? 'object' : 'value', boost: -index / 100, ...writer.replace(stub, true) };
	});
	if (cursor.string || unique.some(({ value }) => typeof value !== 'object')) return written;
	const stubs = schemas.filter(({ const: constant, enum: options, type, properties }) => constant === undefined && !options && (type !== undefined || properties)).map((schema): Completion => {
		const stub = stubFor(root, schema, writer.itemIndent, writer.unit);
		const type = describeType(root, schema);
		return { label: stub.text.startsWith('{') ? '{ }' : stub.text.startsWith('[') ? '[ ]' : stub.text, detail: schema.description ?? type, info: '', kind: 'object', boost: -50, ...writer.replace(stub, true) };
	});
	return [...written, ...stubs.filter(({ label }, index) => stubs.findIndex((other) => other.label === label) === index)];
}

/** Completes a part of a string: of an expression, or of a template. */
async function completePart(text: string, position: number, string: Range, place: Place, knowledge: Knowledge): Promise<Completions | null> {
	const { value, offsets } = decodeString(text, string);
	const offset = offsets.findIndex((at) => at >= position);
	const found = await knowledge.parts(place, value, offset < 0 ? value.length : offset);
	if (!found) return null;
	const from = offsets[found.from] ?? string.to;
	return { from, options: found.suggestions.map((suggestion, index) => toPartCompletion(suggestion, index, { from, to: position }, encodeInString(suggestion.insert))) };
}

/** A completion that replaces a range by a suggested part, as it is written there. */
export function toPartCompletion({ label, detail = '', info = '' }: TextSuggestion, index: number, { from, to }: Range, insert: string): Completion {
	const end = from + insert.length;
	return { label, detail, info, kind: 'part', boost: -index / 100, changes: [{ from, to, insert }], selection: { from: end, to: end }, continues: false };
}

function atEnd(text: string): Stub {
	return { text, hole: { from: text.length, to: text.length } };
}

/** Writes a key or value in place of the token at the cursor, with the commas and line breaks that belong to it. */
class Writer {
	/** Indentation of the line. */
	readonly indent: string;
	/** Indentation of one level. */
	readonly unit: string;
	/** Whether the array or object is still empty, so that a first entry with several lines gets lines of its own. */
	readonly #isAlone: boolean;
	readonly #cursor: Cursor;

	constructor(text: string, cursor: Cursor) {
		const line = text.slice(text.lastIndexOf('\n', cursor.token.from - 1) + 1, cursor.token.from);
		this.#cursor = cursor;
		this.indent = /^[ \t]*/.exec(line)?.[0] ?? '';
		this.unit = /\n([ \t]+)\S/.exec(text)?.[1] ?? '  ';
		this.#isAlone = cursor.isFirst && ['[]', '{}'].includes((line.at(-1) ?? '') + (text[cursor.token.to] ?? ''));
	}

	/** Indentation of a value with several lines. */
	get itemIndent(): string {
		return this.#isAlone ? this.indent + this.unit : this.indent;
	}

	/** Replaces the token; `isItem` is whether commas may be missing around it. */
	replace({ text, hole }: Stub, isItem: boolean): Pick<Completion, 'changes' | 'selection' | 'continues'> {
		const { token, comma, next } = this.#cursor;
		const hasLines = this.#isAlone && text.includes('\n');
		const [before, behind] = hasLines ? [`\n${this.itemIndent}`, `\n${this.indent}`] : ['', ''];
		const separator = isItem && next !== '' && !',}]:'.includes(next) ? ',' : '';
		const isCommaMissing = isItem && comma !== null;
		const isCommaHere = isCommaMissing && comma === token.from;
		const changes = [{ from: token.from, to: token.to, insert: (isCommaHere ? ', ' : '') + before + text + separator + behind }];
		if (isCommaMissing && !isCommaHere) changes.unshift({ from: comma, to: comma, insert: ',' });
		const start = token.from + before.length + (isCommaHere ? 2 : isCommaMissing ? 1 : 0);
		const isOpen = /^["[{]?$/.test(text[hole.from - 1] ?? '') && hole.from === hole.to && hole.from < text.length;
		return { changes, selection: { from: start + hole.from, to: start + hole.to }, continues: isOpen };
	}
}

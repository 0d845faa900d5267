import { applyEdits, modify, type EditResult, type JSONPath } from 'jsonc-parser';
import { formatPointer, parsePointer, valueAt } from '#lib/pointer.ts';

/** A replacement of a range of text, in UTF-16 code units. */
export interface TextChange {
	from: number;
	to: number;
	insert: string;
}

/** One edit of a text: groups of changes. Each group applies to the text that the groups before it leave. */
export type TextEdit = readonly (readonly TextChange[])[];

/**
 * Edits JSON text by JSON Pointers. Each operation changes as little text as possible, so the formatting and the order
 * of keys elsewhere stay as they are.
 */
export class JsonEdit {
	readonly #groups: TextChange[][] = [];
	#text: string;
	#value: unknown;

	/** `text` must be valid JSON. */
	constructor(text: string) {
		this.#text = text;
		this.#value = JSON.parse(text) as unknown;
	}

	/** The text after all operations so far. */
	get text(): string {
		return this.#text;
	}

	/** The value of the text after all operations so far. */
	get value(): unknown {
		return this.#value;
	}

	/** The changes of all operations so far. */
	get changes(): TextEdit {
		return this.#groups;
	}

	/** Sets the value at a pointer. Missing objects on the way are created. */
	set(pointer: string, value: unknown): this {
		if (JSON.stringify(valueAt(this.#value, pointer)) === JSON.stringify(value)) return this;
		return this.#modify(pointer, value, false);
	}

	/** Inserts an element into an array, before the element with the pointer's index. A missing array is created. */
	insert(pointer: string, value: unknown): this {
		const list = valueAt(this.#value, pointer.slice(0, pointer.lastIndexOf('/')));
		return Array.isArray(list) ? this.#modify(pointer, value, true) : this.#modify(pointer.slice(0, pointer.lastIndexOf('/')), [value], false);
	}

	/** Removes a property or an array's element. Nothing happens if there is none. */
	remove(pointer: string): this {
		return valueAt(this.#value, pointer) === undefined ? this : this.#modify(pointer, undefined, false);
	}

	#modify(pointer: string, value: unknown, isArrayInsertion: boolean): this {
		const path = readPath(this.#value, pointer);
		const edits = modify(this.#text, path, value, { isArrayInsertion, formattingOptions: detectFormat(this.#text) });
		this.#apply(edits);
		return this;
	}

	#apply(edits: EditResult): void {
		if (edits.length === 0) return;
		this.#groups.push(edits.map(({ offset, length, content }) => ({ from: offset, to: offset + length, insert: content })));
		this.#text = applyEdits(this.#text, edits);
		this.#value = JSON.parse(this.#text) as unknown;
	}
}

/** Converts a pointer to the library's path, in which indices of arrays are numbers. */
function readPath(document: unknown, pointer: string): JSONPath {
	let value = document;
	return parsePointer(pointer).map((token) => {
		const isArray = Array.isArray(value);
		value = valueAt(value, formatPointer([token]));
		return isArray ? Number(token) : token;
	});
}

/** Detects the indentation of a text: that of its first indented line, else two spaces. */
function detectFormat(text: string) {
	const indent = /\n([ \t]+)\S/.exec(text)?.[1] ?? '  ';
	return { insertSpaces: !indent.startsWith('\t'), tabSize: indent.startsWith('\t') ? 1 : indent.length, eol: text.includes('\r\n') ? '\r\n' : '\n' };
}

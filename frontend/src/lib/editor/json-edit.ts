import { applyEdits, findNodeAtLocation, modify, parseTree, type EditResult, type JSONPath, type Node } from 'jsonc-parser';
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
		const entry = this.#entry(pointer);
		const siblings = entry?.parent?.children ?? [];
		if (entry) this.#apply([removal(entry, siblings[siblings.indexOf(entry) - 1], siblings[siblings.indexOf(entry) + 1])]);
		return this;
	}

	/** Renames a property in its place. Nothing happens if there is none. */
	rename(pointer: string, key: string): this {
		const property = this.#find(pointer)?.parent;
		const name = property?.type === 'property' ? property.children?.[0] : undefined;
		if (name && name.value !== key) this.#apply([{ offset: name.offset, length: name.length, content: JSON.stringify(key) }]);
		return this;
	}

	/** Exchanges two elements of an array, or two properties of an object, with their formatting. */
	swap(one: string, other: string): this {
		const [first, second] = [this.#entry(one), this.#entry(other)].sort((a, b) => (a?.offset ?? 0) - (b?.offset ?? 0));
		if (!first || !second || first === second) return this;
		const textOf = ({ offset, length }: Node) => this.#text.slice(offset, offset + length);
		this.#apply([
			{ offset: first.offset, length: first.length, content: textOf(second) },
			{ offset: second.offset, length: second.length, content: textOf(first) }
		]);
		return this;
	}

	#find(pointer: string): Node | undefined {
		const root = parseTree(this.#text);
		return root && findNodeAtLocation(root, readPath(this.#value, pointer));
	}

	/** An element of an array, or a property with its key. */
	#entry(pointer: string): Node | undefined {
		const node = this.#find(pointer);
		return node?.parent?.type === 'property' ? node.parent : node;
	}

	#modify(pointer: string, value: unknown, isArrayInsertion: boolean): this {
		const path = readPath(this.#value, pointer);
		// A text in one line stays one.
		const formattingOptions = this.#text.trimEnd().includes('\n') ? detectFormat(this.#text) : undefined;
		const edits = modify(this.#text, path, value, { isArrayInsertion, ...(formattingOptions && { formattingOptions }) });
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

/**
 * Removes an entry with one of its commas. The library's own removal breaks an array whose bracket follows the last element
 * at once (`[1,2]`).
 */
function removal(entry: Node, previous: Node | undefined, next: Node | undefined): EditResult[number] {
	const end = entry.offset + entry.length;
	const from = previous ? previous.offset + previous.length : next || !entry.parent ? entry.offset : entry.parent.offset + 1;
	const to = previous ? end : next ? next.offset : entry.parent ? entry.parent.offset + entry.parent.length - 1 : end;
	return { offset: from, length: to - from, content: '' };
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

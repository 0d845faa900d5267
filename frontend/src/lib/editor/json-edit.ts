import { applyEdits, findNodeAtLocation, parseTree, type EditResult, type JSONPath, type Node } from 'jsonc-parser';
import { formatPointer, parsePointer, valueAt } from '#lib/pointer.ts';
import { insertEntry, removeEntry, replaceValue } from './json-text.ts';

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
		const node = this.#find(pointer);
		if (node) return this.#apply([replaceValue(this.#text, node, value)]);
		const parent = pointer.slice(0, pointer.lastIndexOf('/'));
		const key = parsePointer(pointer).at(-1) ?? '';
		const container = this.#find(parent);
		if (!container) return this.set(parent, { [key]: value });
		if (container.type === 'array') return this.insert(pointer, value);
		return container.type === 'object' ? this.#insert(container, container.children?.length ?? 0, key, value) : this.set(parent, { [key]: value });
	}

	/** Inserts an element into an array, before the element with the pointer's index. A missing array is created. */
	insert(pointer: string, value: unknown): this {
		const parent = pointer.slice(0, pointer.lastIndexOf('/'));
		const list = this.#find(parent);
		if (list?.type !== 'array') return this.set(parent, [value]);
		return this.#insert(list, Math.min(Number(parsePointer(pointer).at(-1)), list.children?.length ?? 0), null, value);
	}

	/** Removes a property or an array's element. Nothing happens if there is none. */
	remove(pointer: string): this {
		const entry = this.#entry(pointer);
		const siblings = entry?.parent?.children ?? [];
		const index = entry ? siblings.indexOf(entry) : -1;
		return entry ? this.#apply([removeEntry(entry, siblings[index - 1], siblings[index + 1])]) : this;
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

	#insert(container: Node, index: number, key: string | null, value: unknown): this {
		return this.#apply([insertEntry(this.#text, container, index, key, value)]);
	}

	#apply(edits: EditResult): this {
		this.#groups.push(edits.map(({ offset, length, content }) => ({ from: offset, to: offset + length, insert: content })));
		this.#text = applyEdits(this.#text, edits);
		this.#value = JSON.parse(this.#text) as unknown;
		return this;
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

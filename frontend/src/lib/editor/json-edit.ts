import type { EditResult, Node } from 'jsonc-parser';
import { parsePointer, valueAt } from '#lib/pointer.ts';
import { findNodes } from './json-nodes.ts';
import { insertEntries, removeEntries, replaceValue } from './json-text.ts';

/** A replacement of a range of text, in UTF-16 code units. */
export interface TextChange {
	from: number;
	to: number;
	insert: string;
}

/** One edit of a text: groups of changes. Each group applies to the text that the groups before it leave. */
export type TextEdit = readonly (readonly TextChange[])[];

/** Applies changes that all refer to the given text, in one pass. None may overlap another; insertions at one place stay in their order. */
export function applyTextChanges(text: string, changes: readonly TextChange[]): string {
	let end = 0;
	let applied = '';
	for (const { from, to, insert } of changes.toSorted((one, other) => one.from - other.from || one.to - other.to)) {
		applied += text.slice(end, from) + insert;
		end = to;
	}
	return applied + text.slice(end);
}

/**
 * Edits JSON text by JSON Pointers. Each operation changes as little text as possible, so the formatting and the order
 * of keys elsewhere stay as they are.
 */
export class JsonEdit {
	readonly #groups: TextChange[][] = [];
	#text: string;
	/** The value of the text; `undefined` until somebody asks for it. */
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
		return (this.#value ??= JSON.parse(this.#text) as unknown);
	}

	/** The changes of all operations so far. */
	get changes(): TextEdit {
		return this.#groups;
	}

	/** Sets the value at a pointer. Missing objects on the way are created. */
	set(pointer: string, value: unknown): this {
		if (this.#has(pointer, value)) return this;
		const node = this.#find(pointer);
		if (node) return this.#apply([replaceValue(this.#text, node, value)]);
		const parent = parentOf(pointer);
		const key = parsePointer(pointer).at(-1) ?? '';
		const container = this.#find(parent);
		if (!container) return this.set(parent, { [key]: value });
		if (container.type === 'array') return this.insert(pointer, value);
		return container.type === 'object' ? this.#insert(container, container.children?.length ?? 0, key, [value]) : this.set(parent, { [key]: value });
	}

	/** Sets the values at pointers, none of which is within another. Those that exist, or whose objects do, are set by one change of the text. */
	setAll(entries: readonly (readonly [pointer: string, value: unknown])[]): this {
		const changed = entries.filter(([pointer, value]) => !this.#has(pointer, value));
		const found = findNodes(this.#text, changed.flatMap(([pointer]) => [pointer, parentOf(pointer)]));
		const edits: EditResult = [];
		const [extended, others] = [new Set<Node>(), [] as (readonly [string, unknown])[]];
		changed.forEach(([pointer, value], index) => {
			const [node, container] = [found[2 * index], found[2 * index + 1]];
			if (node) edits.push(replaceValue(this.#text, node, value));
			else if (container?.type === 'object' && !extended.has(container)) {
				extended.add(container);
				edits.push(insertEntries(this.#text, container, container.children?.length ?? 0, parsePointer(pointer).at(-1) ?? '', [value]));
			} else others.push([pointer, value]);
		});
		if (edits.length > 0) this.#apply(edits);
		for (const [pointer, value] of others) this.set(pointer, value);
		return this;
	}

	/** Inserts elements into an array, before the element with the pointer's index. A missing array is created. */
	insert(pointer: string, ...values: readonly unknown[]): this {
		const list = this.#find(parentOf(pointer));
		if (list?.type !== 'array') return this.set(parentOf(pointer), values);
		return this.#insert(list, Math.min(Number(parsePointer(pointer).at(-1)), list.children?.length ?? 0), null, values);
	}

	/** Removes properties and elements of arrays. Nothing happens to those that do not exist. None may be within another. */
	remove(...pointers: readonly string[]): this {
		const containers = new Map<Node, Set<Node>>();
		for (const node of findNodes(this.#text, pointers)) {
			const entry = entryOf(node);
			if (entry?.parent) containers.set(entry.parent, (containers.get(entry.parent) ?? new Set()).add(entry));
		}
		const edits = [...containers].flatMap(([container, entries]) => removeEntries(container, entries));
		return edits.length > 0 ? this.#apply(edits) : this;
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
		const [first, second] = [entryOf(this.#find(one)), entryOf(this.#find(other))].sort((a, b) => (a?.offset ?? 0) - (b?.offset ?? 0));
		if (!first || !second || first === second) return this;
		const textOf = ({ offset, length }: Node) => this.#text.slice(offset, offset + length);
		this.#apply([
			{ offset: first.offset, length: first.length, content: textOf(second) },
			{ offset: second.offset, length: second.length, content: textOf(first) }
		]);
		return this;
	}

	#find(pointer: string): Node | undefined {
		return findNodes(this.#text, [pointer])[0];
	}

	/** Whether a pointer has a value already. */
	#has(pointer: string, value: unknown): boolean {
		return JSON.stringify(valueAt(this.value, pointer)) === JSON.stringify(value);
	}

	#insert(container: Node, index: number, key: string | null, values: readonly unknown[]): this {
		return values.length > 0 ? this.#apply([insertEntries(this.#text, container, index, key, values)]) : this;
	}

	#apply(edits: EditResult): this {
		const changes = edits.map(({ offset, length, content }) => ({ from: offset, to: offset + length, insert: content }));
		this.#groups.push(changes);
		this.#text = applyTextChanges(this.#text, changes);
		this.#value = undefined;
		return this;
	}
}

const parentOf = (pointer: string) => pointer.slice(0, pointer.lastIndexOf('/'));

/** An element of an array, or a property with its key. */
function entryOf(node: Node | undefined): Node | undefined {
	return node?.parent?.type === 'property' ? node.parent : node;
}

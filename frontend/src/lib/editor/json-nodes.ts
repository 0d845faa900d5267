import type { Node } from 'jsonc-parser';
import { parsePointer } from '#lib/pointer.ts';
import { JsonScanner } from './json-scanner.ts';

/** A node whose end is not known yet. */
type OpenNode = { -readonly [Field in keyof Node]: Node[Field] };

/** What is looked for in a value, by key or index. */
type Wanted = Map<string, Wanted>;

/**
 * The nodes that some JSON Pointers name, and those around them with their children; `undefined` for what does not exist. Nodes
 * elsewhere in the text have no children: reading these takes most of the time of reading a whole tree. `text` must be valid JSON.
 */
export function findNodes(text: string, pointers: readonly string[]): (Node | undefined)[] {
	const wanted: Wanted = new Map();
	const paths = pointers.map(parsePointer);
	for (const path of paths) {
		let inner = wanted;
		for (const token of path) {
			if (!inner.has(token)) inner.set(token, new Map());
			inner = inner.get(token)!;
		}
	}
	const reader = new NodeReader(text);
	const root = reader.readRoot(wanted);
	return paths.map((path) => path.reduce<Node | undefined>((node, token) => node && reader.childOf(node, token), root));
}

class NodeReader extends JsonScanner {
	/** Values by key or index. */
	readonly #children = new Map<Node, Map<string, Node>>();

	/** Reads the document, with the children of what is wanted or around it. */
	readRoot(wanted: Wanted): Node {
		this.skipSpace();
		return this.#readValue(undefined, wanted);
	}

	/** The value in an object or array. */
	childOf(node: Node, token: string): Node | undefined {
		return this.#children.get(node)?.get(token);
	}

	#readValue(parent: Node | undefined, wanted: Wanted | undefined): Node {
		const offset = this.at;
		const type = this.current === '{' ? 'object' : this.current === '[' ? 'array' : 'null';
		const node: OpenNode = { type, offset, length: 0, ...(parent && { parent }) };
		if (wanted === undefined || type === 'null') this.skipValue();
		else this.#readChildren(node, wanted);
		node.length = this.at - offset;
		return node;
	}

	#readChildren(node: OpenNode, wanted: Wanted): void {
		const [children, values] = [[] as Node[], new Map<string, Node>()];
		this.#children.set(node, values);
		node.children = children;
		this.#skip();
		while (!']}'.includes(this.current)) {
			if (node.type === 'array') {
				const index = String(children.length);
				const value = this.#readValue(node, wanted.get(index));
				children.push(value);
				values.set(index, value);
			} else {
				children.push(this.#readProperty(node, wanted, values));
			}
			this.skipSpace();
			if (this.current === ',') this.#skip();
		}
		this.at++;
	}

	#readProperty(parent: Node, wanted: Wanted, values: Map<string, Node>): Node {
		const property: OpenNode = { type: 'property', offset: this.at, length: 0, parent };
		this.readString();
		const value = this.stringValue(property.offset, this.at);
		const key: Node = { type: 'string', value, offset: property.offset, length: this.at - property.offset, parent: property };
		this.skipSpace();
		this.#skip();
		const content = this.#readValue(property, wanted.get(value));
		property.children = [key, content];
		property.length = this.at - property.offset;
		values.set(value, content);
		return property;
	}

	/** Skips a character, and the space behind it. */
	#skip(): void {
		this.at++;
		this.skipSpace();
	}
}

import type { SyntaxNode, Tree } from '@lezer/common';
import { formatPointer, parsePointer } from '#lib/pointer.ts';

/** A range of text, in UTF-16 code units. */
export interface Range {
	from: number;
	to: number;
}

const VALUES = new Set(['Object', 'Array', 'String', 'Number', 'True', 'False', 'Null']);

function values(node: SyntaxNode): SyntaxNode[] {
	const found: SyntaxNode[] = [];
	for (let child = node.firstChild; child; child = child.nextSibling) {
		if (VALUES.has(child.name)) found.push(child);
	}
	return found;
}

function name(property: SyntaxNode, text: string): { range: Range; text: string } | null {
	const node = property.getChild('PropertyName');
	if (!node) return null;
	const raw = text.slice(node.from, node.to);
	const range = { from: node.from, to: node.to };
	try {
		return { range, text: JSON.parse(raw) as string };
	} catch {
		return { range, text: raw.replaceAll('"', '') };
	}
}

/**
 * Finds the range of a JSON Pointer in JSON text: a property name, a value or an element. If it does not exist (for
 * example a missing field), returns the nearest enclosing property name or opening bracket.
 */
export function findRange(tree: Tree, text: string, at: string): Range {
	let value = values(tree.topNode)[0];
	let whole: Range | null = null;
	let head: Range | null = null;
	for (const token of parsePointer(at)) {
		if (value?.name === 'Array') {
			const element: SyntaxNode | undefined = values(value)[Number(token)];
			if (!element) return head ?? opening(value);
			[value, whole, head] = [element, element, opening(element)];
		} else if (value?.name === 'Object') {
			const property: SyntaxNode | undefined = value
				.getChildren('Property')
				.find((candidate) => name(candidate, text)?.text === token);
			if (!property) return head ?? opening(value);
			head = name(property, text)!.range;
			[value, whole] = [values(property)[0], property];
		} else {
			return head ?? { from: 0, to: 0 };
		}
	}
	if (!whole) return value ? opening(value) : { from: 0, to: Math.min(1, text.length) };
	// Mark the name of an object or array instead of its whole content.
	const scalar = value && value.name !== 'Object' && value.name !== 'Array';
	return scalar ? { from: value!.from, to: value!.to } : (head ?? { from: whole.from, to: whole.to });
}

function opening(node: SyntaxNode): Range {
	const bracket = node.name === 'Object' || node.name === 'Array';
	return { from: node.from, to: bracket ? node.from + 1 : node.to };
}

/** Returns the JSON Pointer of the innermost property or element at a position in JSON text. */
export function pointerAt(tree: Tree, text: string, position: number): string {
	const path: string[] = [];
	for (let node: SyntaxNode | null = tree.resolveInner(position, -1); node; node = node.parent) {
		if (node.name === 'Property') {
			path.unshift(name(node, text)?.text ?? '');
		} else if (node.parent?.name === 'Array' && VALUES.has(node.name)) {
			const from = node.from;
			path.unshift(String(values(node.parent).findIndex((element) => element.from === from)));
		}
	}
	return formatPointer(path);
}

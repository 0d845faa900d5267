import type { SyntaxNode } from '@lezer/common';
import { parser } from '@lezer/javascript';
import { isObject } from '#lib/workflow/modules.ts';
import { isIdentifier } from '#lib/workflow/references.ts';
import { EmbeddedExpression } from './embedded-expression.ts';

/** Longest literal that is written in one line. */
const MAX_LINE = 60;

/** Writes a value with expressions as JavaScript: `({ size: 2, image: results.draw.image })`. */
export function formatLiteral(value: unknown): string {
	const written = write(value, '');
	return written.startsWith('{') ? `(${written})` : written;
}

function write(value: unknown, indent: string): string {
	if (value instanceof EmbeddedExpression) return value.source.trim() === '' ? 'undefined' : value.source;
	if (Array.isArray(value)) return bracket('[', ']', value.map((item) => write(item, `${indent}  `)), indent);
	if (!isObject(value)) return JSON.stringify(value) ?? 'undefined';
	const entries = Object.entries(value).map(([key, inner]) => `${isIdentifier(key) ? key : JSON.stringify(key)}: ${write(inner, `${indent}  `)}`);
	return bracket('{', '}', entries, indent);
}

function bracket(open: string, close: string, parts: readonly string[], indent: string): string {
	const line = parts.join(', ');
	if (parts.length === 0) return open + close;
	if (line.length <= MAX_LINE && !line.includes('\n')) return open === '{' ? `{ ${line} }` : `[${line}]`;
	return `${open}\n${parts.map((part) => `${indent}  ${part}`).join(',\n')}\n${indent}${close}`;
}

/**
 * Reads an expression that is an object or a list, with its parts: fixed values, and expressions. Returns `undefined` for
 * any other expression, and for one that could not be written again without loss (spread, methods, comments).
 */
export function parseLiteral(source: string): unknown {
	const tree = parser.configure({ top: 'SingleExpression' }).parse(source);
	let top = tree.topNode.firstChild;
	if (!top || top.nextSibling) return undefined;
	while (top?.name === 'ParenthesizedExpression') top = onlyChild(top);
	if (top?.name !== 'ObjectExpression' && top?.name !== 'ArrayExpression') return undefined;
	const read = readContainer(top, source);
	return read === NOT_READABLE ? undefined : read;
}

const NOT_READABLE = Symbol('not readable');

const PUNCTUATION = ['(', ')', '{', '}', '[', ']', ',', ':'];

function children(node: SyntaxNode): SyntaxNode[] {
	const found: SyntaxNode[] = [];
	for (let child = node.firstChild; child; child = child.nextSibling) if (!PUNCTUATION.includes(child.name)) found.push(child);
	return found;
}

function onlyChild(node: SyntaxNode): SyntaxNode | null {
	const [child, second] = children(node);
	return child && !second ? child : null;
}

function readContainer(node: SyntaxNode, source: string): unknown {
	return node.name === 'ObjectExpression' ? readObject(node, source) : readList(node, source);
}

function readObject(node: SyntaxNode, source: string): unknown {
	const entries: [string, unknown][] = [];
	for (const property of children(node)) {
		const [key, value, extra] = children(property);
		if (property.name !== 'Property' || !key || !value || extra || property.getChild('[')) return NOT_READABLE;
		const name = key.name === 'PropertyDefinition' ? source.slice(key.from, key.to) : key.name === 'String' ? readText(source.slice(key.from, key.to)) : undefined;
		if (name === undefined || value.type.isError) return NOT_READABLE;
		entries.push([name, readPart(value, source)]);
	}
	return Object.fromEntries(entries);
}

function readList(node: SyntaxNode, source: string): unknown {
	const items = children(node);
	if (items.some(({ name, type }) => name === 'Spread' || name.endsWith('Comment') || type.isError) || /\[\s*,|,\s*,/.test(source.slice(node.from, node.to))) return NOT_READABLE;
	return items.map((item) => readPart(item, source));
}

function readPart(node: SyntaxNode, source: string): unknown {
	const text = source.slice(node.from, node.to);
	if (node.name === 'ObjectExpression' || node.name === 'ArrayExpression') {
		const read = readContainer(node, source);
		return read === NOT_READABLE ? new EmbeddedExpression(text) : read;
	}
	if (node.name === 'String') return readText(text) ?? new EmbeddedExpression(text);
	try {
		return JSON.parse(text) as unknown;
	} catch {
		return new EmbeddedExpression(text);
	}
}

/** The text of a JavaScript string in single or double quotes; `undefined` for escapes that JSON does not have. */
function readText(quoted: string): string | undefined {
	const inner = quoted.slice(1, -1);
	const json = quoted.startsWith("'") ? `"${inner.replaceAll("\\'", "'").replaceAll(/(?<!\\)"/g, '\\"')}"` : quoted;
	try {
		return JSON.parse(json) as string;
	} catch {
		return undefined;
	}
}

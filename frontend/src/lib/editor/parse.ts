import type { Tree } from '@lezer/common';
import type { Range } from './pointers.ts';

/** Result of parsing JSON. */
export type Parsed = { value: unknown } | { message: string; range: Range };

/** Parses JSON. The position of an error comes from the editor's syntax tree, which tolerates errors. */
export function parseJson(text: string, tree: () => Tree): Parsed {
	try {
		return { value: JSON.parse(text) as unknown };
	} catch (error) {
		const message = error instanceof Error ? error.message : String(error);
		const at = firstError(tree()) ?? Number(/position (\d+)/.exec(message)?.[1] ?? text.length);
		const from = Math.min(at, Math.max(0, text.length - 1));
		return { message: shortenMessage(message), range: { from, to: Math.min(from + 1, text.length) } };
	}
}

function firstError(tree: Tree): number | undefined {
	let found: number | undefined;
	tree.iterate({
		enter(node) {
			if (found === undefined && node.type.isError) found = node.from;
			return found === undefined;
		}
	});
	return found;
}

/** The error message of the engine without position and excerpt, which the editor shows anyway. */
function shortenMessage(message: string): string {
	const short = message
		.replace(/,? ?\.{0,3}"[\s\S]*" is not valid JSON$/, '')
		.replace(/ in JSON at position[\s\S]*$/, '')
		.replace(/ \(line[\s\S]*\)$/, '');
	return `invalid JSON: ${short.charAt(0).toLowerCase()}${short.slice(1)}`;
}

/**
 * Converts a line and column of a string's value to a range in the JSON text (both counted from 1; columns count Unicode
 * scalar values). `string` is the range of the literal including its quotes.
 */
export function findRangeInString(text: string, string: Range, line: number, column: number): Range {
	const end = string.to - 1;
	let [at, row, col] = [string.from + 1, 1, 1];
	while (at < end && (row < line || (row === line && col < column))) {
		const escape = text[at] === '\\';
		const unit = escape ? (text[at + 1] === 'u' ? 6 : 2) : (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
		const newline = escape && text[at + 1] === 'n';
		[row, col] = newline ? [row + 1, 1] : [row, col + 1];
		at += unit;
	}
	return at < end ? { from: at, to: end } : { from: string.from, to: string.to };
}

import type { Range } from './pointers.ts';

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

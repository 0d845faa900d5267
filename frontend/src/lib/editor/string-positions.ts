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

/** The value of a string, and the place of each of its UTF-16 code units in the text. `content` is the range inside the quotes. */
export function decodeString(text: string, { from, to }: Range): { value: string; offsets: number[] } {
	let value = '';
	const offsets: number[] = [];
	for (let at = from; at < to; ) {
		const length = text[at] !== '\\' ? 1 : text[at + 1] === 'u' ? 6 : 2;
		const raw = text.slice(at, Math.min(at + length, to));
		value += length === 1 ? raw : decodeEscape(raw);
		offsets.push(at);
		at += length;
	}
	return { value, offsets: [...offsets, to] };
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f' };

function decodeEscape(raw: string): string {
	const code = /^\\u([\da-fA-F]{4})$/.exec(raw)?.[1];
	return code ? String.fromCharCode(Number.parseInt(code, 16)) : (ESCAPES[raw[1] ?? ''] ?? raw[1] ?? '\\');
}

/** Text as it is written inside the quotes of a JSON string. */
export function encodeInString(value: string): string {
	return JSON.stringify(value).slice(1, -1);
}

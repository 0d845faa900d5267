import { describe, expect, it } from 'vitest';
import { decodeString, encodeInString, findRangeInString } from './string-positions.ts';

describe('findRangeInString', () => {
	const check = (value: string, line: number, column: number) => {
		const text = `{"e": ${JSON.stringify(value)}}`;
		const { from, to } = findRangeInString(text, { from: 6, to: text.length - 1 }, line, column);
		return text.slice(from, to);
	};
	it('counts columns', () => expect(check('a + b', 1, 5)).toBe('b'));
	it('counts an escape as one', () => expect(check('"x" + b', 1, 7)).toBe('b'));
	it('counts an emoji as one', () => expect(check('"😀" + b', 1, 7)).toBe('b'));
	it('counts lines', () => expect(check('a\n + b', 2, 4)).toBe('b'));
	it('marks the whole string if the position is past its end', () => expect(check('ab', 1, 9)).toBe('"ab"'));
});

describe('decodeString', () => {
	it.each(['plain', 'a "quoted" \\ text', 'tab\t line\n', 'é 😀 \u0001'])('reads %j, and encodes it again', (value) => {
		const text = `[${JSON.stringify(value)}]`;
		const { value: decoded, offsets } = decodeString(text, { from: 2, to: text.length - 2 });
		expect(decoded).toBe(value);
		expect(offsets).toHaveLength(value.length + 1);
		expect(encodeInString(decoded)).toBe(text.slice(2, -2));
	});
	it('knows the place of each character', () => {
		const text = '"a\\"b\\u0041c"';
		const { value, offsets } = decodeString(text, { from: 1, to: text.length - 1 });
		expect([...value].map((_, index) => text.slice(offsets[index], offsets[index + 1]))).toEqual(['a', '\\"', 'b', '\\u0041', 'c']);
	});
});

import { describe, expect, it } from 'vitest';
import { findRangeInString } from './string-positions.ts';

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

import { jsonLanguage } from '@codemirror/lang-json';
import { describe, expect, it } from 'vitest';
import { parseJson, findRangeInString } from './parse.ts';

function parse(text: string) {
	return parseJson(text, () => jsonLanguage.parser.parse(text));
}

describe('parseJson', () => {
	it('returns the value', () => expect(parse('{"a": [1]}')).toEqual({ value: { a: [1] } }));

	it.each([
		['{"a": 1,}', 8],
		['{"a" 1}', 5],
		['{"a": x}', 6],
		['{"a": 1', 6],
		['', 0]
	])('reports the position of the error in %j', (text, from) => {
		const parsed = parse(text);
		expect(parsed).toMatchObject({ message: expect.stringMatching(/^invalid JSON: [a-z]/) });
		expect('range' in parsed && parsed.range.from).toBe(from);
	});

	it('does not include the text in the message', () => {
		const parsed = parse('{"secret": x}');
		expect('message' in parsed && parsed.message).not.toContain('secret');
	});
});

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

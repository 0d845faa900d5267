import { jsonLanguage } from '@codemirror/lang-json';
import { describe, expect, it } from 'vitest';
import { pointerAt, findRange } from './pointers.ts';

const text = '{"a": {"b": [10, {"c": "x"}], "s/t": true}, "n": null}';

function at(pointer: string, source = text): string {
	// Spread the range as the callers do. A tree node would lose its properties.
	const { from, to } = { ...findRange(jsonLanguage.parser.parse(source), source, pointer) };
	return source.slice(from, to);
}

describe('findRange', () => {
	it.each([
		['', '{'],
		['/a', '"a"'],
		['/a/b', '"b"'],
		['/a/b/0', '10'],
		['/a/b/1', '{'],
		['/a/b/1/c', '"x"'],
		['/a/s~1t', 'true'],
		['/n', 'null']
	])('finds %j', (pointer, expected) => expect(at(pointer)).toBe(expected));

	it.each([
		['/missing', '{'],
		['/a/missing', '"a"'],
		['/a/b/7', '"b"'],
		['/a/b/1/missing', '{'],
		['/n/deeper', '"n"']
	])('falls back to what is around %j', (pointer, expected) => expect(at(pointer)).toBe(expected));

	it('works while the text does not parse', () => expect(at('/b/c', '{"a": , "b": {"c": 1')).toBe('1'));
	it('survives an empty text', () => expect(at('/a', '')).toBe(''));
});

describe('pointerAt', () => {
	it.each([
		['10', '/a/b/0'],
		['"x"', '/a/b/1/c'],
		['"c"', '/a/b/1/c'],
		['true', '/a/s~1t'],
		['null', '/n']
	])('names the place of %s', (needle, expected) => {
		expect(pointerAt(jsonLanguage.parser.parse(text), text, text.indexOf(needle) + 1)).toBe(expected);
	});
});

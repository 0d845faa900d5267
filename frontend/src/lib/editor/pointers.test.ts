import { describe, expect, it } from 'vitest';
import { pointerAt, findRange, findRanges } from './pointers.ts';

const text = '{"a": {"b": [10, {"c": "x"}], "s/t": true}, "n": null}';

function at(pointer: string, source = text): string {
	const { from, to } = findRange(source, pointer);
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
	it.each([
		['{"a": {"b": }, "c": 2}', '/c', '2'],
		['{"a": "open\n, "b": 1}', '/b', '1'],
		['{"a": 1 "b": 2}', '/b', '2'],
		['{"a"}', '/a', '"a"'],
		['[1, , 3', '/2', '3'],
		['{"a": 1, "a": 2}', '/a', '2'],
		['{"a\\"b": {"}": [1]}}', '/a"b/}/0', '1']
	])('reads %s', (source, pointer, expected) => expect(at(pointer, source)).toBe(expected));
	it('finds several places, in any order and more than once', () => {
		const found = findRanges(text, ['/n', '/a/b/0', '/a', '/n', '/missing']);
		expect(found.map(({ from, to }) => text.slice(from, to))).toEqual(['null', '10', '"a"', 'null', '{']);
		expect(findRanges(text, [])).toEqual([]);
	});
});

describe('pointerAt', () => {
	it.each([
		['10', '/a/b/0'],
		['"x"', '/a/b/1/c'],
		['"c"', '/a/b/1/c'],
		['true', '/a/s~1t'],
		['null', '/n']
	])('names the place of %s', (needle, expected) => {
		expect(pointerAt(text, text.indexOf(needle) + 1)).toBe(expected);
	});
	it.each([
		['{"a": |1, "b": 2}', '/a'],
		['{"a": 1|, "b": 2}', '/a'],
		['{"a": 1,| "b": 2}', ''],
		['{"a": 1, "b|": 2}', '/b'],
		['{"a": [1, |2]}', '/a'],
		['{"a": [1, 2|]}', '/a/1'],
		['{"a": [1, 2]|}', '/a'],
		['{"a": [1, {"b": 2}|]}', '/a/1'],
		['{"a": {"b": [1, "x|', '/a/b/1'],
		['{"a": , "b": tr|', '/b'],
		['{|}', ''],
		['|', '']
	])('at the cursor in %s', (marked, expected) => expect(pointerAt(marked.replace('|', ''), marked.indexOf('|'))).toBe(expected));
});

import { describe, expect, it } from 'vitest';
import { formatPointer, parsePointer, valueAt, isWithin } from './pointer.ts';

describe('parsePointer and formatPointer', () => {
	it.each([
		['', []],
		['/', ['']],
		['/a/0/b', ['a', '0', 'b']],
		['/a~1b/m~0n', ['a/b', 'm~n']],
		['/~01', ['~1']]
	])('read and write %j', (text, path) => {
		expect(parsePointer(text)).toEqual(path);
		expect(formatPointer(path)).toBe(text);
	});
});

describe('valueAt', () => {
	const document = { a: [{ b: 1 }, null], 'x/y': 2 };
	it.each([
		['', document],
		['/a/0/b', 1],
		['/a/1', null],
		['/a/1/b', undefined],
		['/toString', undefined],
		['/x~1y', 2]
	])('at %j', (at, value) => expect(valueAt(document, at)).toEqual(value));
});

it('isWithin accepts a place and what is inside it, but not a similar prefix', () => {
	expect([isWithin('/a/b', '/a'), isWithin('/a', '/a'), isWithin('/ab', '/a'), isWithin('/a', '')]).toEqual([
		true,
		true,
		false,
		true
	]);
});

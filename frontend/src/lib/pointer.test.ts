import { describe, expect, it } from 'vitest';
import { pointer, tokens, valueAt, within } from './pointer.ts';

describe('tokens and pointer', () => {
	it.each([
		['', []],
		['/', ['']],
		['/a/0/b', ['a', '0', 'b']],
		['/a~1b/m~0n', ['a/b', 'm~n']],
		['/~01', ['~1']]
	])('read and write %j', (text, path) => {
		expect(tokens(text)).toEqual(path);
		expect(pointer(path)).toBe(text);
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

it('within knows a place and what lies inside, not a namesake', () => {
	expect([within('/a/b', '/a'), within('/a', '/a'), within('/ab', '/a'), within('/a', '')]).toEqual([
		true,
		true,
		false,
		true
	]);
});

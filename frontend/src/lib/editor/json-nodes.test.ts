import { findNodeAtLocation, parseTree, type Node } from 'jsonc-parser';
import { describe, expect, it } from 'vitest';
import { findNodes } from './json-nodes.ts';

const TEXT = '{ "a" : {"b c":[1 ,{"d": "x\\"}"}, []], "e/f": {}},\n"g":null , "h": [ [true] , -1.5e3]}';

describe('findNodes', () => {
	const root = parseTree(TEXT)!;
	const place = (node: Node | undefined) => node && { offset: node.offset, length: node.length };
	it.each([
		['', []],
		['/a', ['a']],
		['/a/b c', ['a', 'b c']],
		['/a/b c/0', ['a', 'b c', 0]],
		['/a/b c/1/d', ['a', 'b c', 1, 'd']],
		['/a/b c/2', ['a', 'b c', 2]],
		['/a/e~1f', ['a', 'e/f']],
		['/g', ['g']],
		['/h/0/0', ['h', 0, 0]],
		['/h/1', ['h', 1]],
		['/h/2', ['h', 2]],
		['/g/x', ['g', 'x']],
		['/none', ['none']]
	])('finds %j where a whole tree has it', (pointer, path) => {
		const [found] = findNodes(TEXT, [pointer]);
		const expected = findNodeAtLocation(root, path);
		expect(place(found)).toEqual(place(expected));
		expect(found?.children?.map(place)).toEqual(expected?.children?.map(place));
		expect(found?.parent?.children?.map(place)).toEqual(expected?.parent?.children?.map(place));
	});
	it('finds several at once', () => {
		expect(findNodes(TEXT, ['/h/1', '/none', '/a/b c/0']).map((node) => node && TEXT.slice(node.offset, node.offset + node.length))).toEqual(['-1.5e3', undefined, '1']);
	});
});

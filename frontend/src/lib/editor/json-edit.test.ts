import { describe, expect, it } from 'vitest';
import { JsonEdit, type TextEdit } from './json-edit.ts';

const text = `{
  "b": 1,   "a": [ 1, 2,
    3 ],
  "steps": [
    {
      "id": "x"
    }
  ]
}
`;

function replay(source: string, edit: TextEdit): string {
	return edit.reduce((before, group) => {
		// Changes of one group all refer to the text before it.
		const sorted = [...group].sort((one, other) => other.from - one.from);
		return sorted.reduce((now, { from, to, insert }) => now.slice(0, from) + insert + now.slice(to), before);
	}, source);
}

describe('JsonEdit', () => {
	it('changes only the value', () => {
		expect(new JsonEdit(text).set('/a/1', 'two').text).toBe(text.replace(' 2,', ' "two",'));
	});
	it('keeps the order and the formatting of everything else', () => {
		const edited = new JsonEdit(text).set('/steps/0/value', { type: 'identity' }).text;
		expect(edited).toBe(text.replace('"id": "x"\n', '"id": "x",\n      "value": {\n        "type": "identity"\n      }\n'));
	});
	it('inserts before, between and behind elements', () => {
		for (const index of [0, 1, 3]) {
			const { value } = new JsonEdit(text).insert(`/a/${index}`, 'new');
			expect((value as { a: unknown[] }).a).toEqual([1, 2, 3].toSpliced(index, 0, 'new' as never));
		}
	});
	it('creates what is missing', () => {
		const edit = new JsonEdit('{}').set('/value/x', 1).insert('/value/modules/0', { id: 'a' });
		expect(edit.value).toEqual({ value: { x: 1, modules: [{ id: 'a' }] } });
	});
	it('removes properties and elements', () => {
		const edit = new JsonEdit(text).remove('/b').remove('/a/0').remove('/steps/0').remove('/none');
		expect(edit.value).toEqual({ a: [2, 3], steps: [] });
	});
	it.each([
		['[1,2]', '/1', '[1]'],
		['[ 1 , 2 ]', '/1', '[ 1 ]'],
		['[1,2]', '/0', '[2]'],
		['[ 1 ]', '/0', '[]'],
		['{"a":1,"b":2}', '/b', '{"a":1}'],
		['{ "a":1 }', '/a', '{}']
	])('removes from %s what is at %s', (source, pointer, left) => expect(new JsonEdit(source).remove(pointer).text).toBe(left));
	it('gives changes that lead to the same text', () => {
		const edit = new JsonEdit(text).remove('/a/0').insert('/steps/1', { id: 'y' }).set('/steps/0/id', 'z').set('/b', 2);
		expect(edit.changes).toHaveLength(4);
		expect(replay(text, edit.changes)).toBe(edit.text);
	});
	it.each([
		['[1,2,3,4]', ['/0', '/1', '/3'], '[3]'],
		['[1,2,3,4]', ['/3', '/2', '/0'], '[2]'],
		['{"a":[1, 2], "b": 1,\n"c": 2}', ['/a/0', '/c', '/none', '/b'], '{"a":[2]}'],
		['[ 1, 2 ]', ['/0', '/1'], '[]']
	])('removes from %s all of %j at once', (source, pointers, left) => {
		const edit = new JsonEdit(source).remove(...pointers);
		expect([edit.text, edit.changes.length]).toEqual([left, 1]);
	});
	it.each([
		['[1,4]', '/1', '[1,2,3,4]'],
		['[ 4 ]', '/0', '[ 2,3,4 ]'],
		['[]', '/0', '[2,3]'],
		['[\r\n\t1\r\n]', '/1', '[\r\n\t1,\r\n\t2,\r\n\t3\r\n]']
	])('inserts several elements into %j at %s at once', (source, pointer, expected) => {
		const edit = new JsonEdit(source).insert(pointer, 2, 3);
		expect([edit.text, edit.changes.length]).toEqual([expected, 1]);
	});
	it('sets several values at once, and what is missing in the same object one by one', () => {
		const edit = new JsonEdit('{"a": {"x": 1}, "b": {}}').setAll([['/a/x', 2], ['/b/y', 3], ['/b/z', 4], ['/c/d', 5]]);
		expect(edit.value).toEqual({ a: { x: 2 }, b: { y: 3, z: 4 }, c: { d: 5 } });
	});
	it('makes no change if the value is there already', () => {
		expect(new JsonEdit(text).set('/steps/0/id', 'x').changes).toEqual([]);
	});
	it('keeps tabs and reads escaped keys', () => {
		const edit = new JsonEdit('{\n\t"a/b": {\n\t\t"c": 1\n\t}\n}').set('/a~1b/d', 2);
		expect(edit.text).toBe('{\n\t"a/b": {\n\t\t"c": 1,\n\t\t"d": 2\n\t}\n}');
	});
	it('reads a key that looks like an index', () => {
		expect(new JsonEdit('{"0": 1}').set('/0', 2).text).toBe('{"0": 2}');
	});
});

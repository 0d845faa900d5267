import { describe, expect, it } from 'vitest';
import { JsonEdit } from './json-edit.ts';
import { updateValue } from './json-update.ts';

/** Odd on purpose: what an edit does not concern must stay as it is. */
const text = '{ "schema":{\n   "properties": { "a": {"type":"string" },\n  "b":{ "type": "integer","enum":[1,  2] }, "c": {} },\n     "required":["a",   "b"]\n}  }\n';

function update(pointer: string, after: unknown): string {
	const edit = new JsonEdit(text);
	updateValue(edit, pointer, after);
	expect(JSON.stringify(edit.value)).toBe(JSON.stringify(withValue(pointer, after)));
	return edit.text;
}

function withValue(pointer: string, after: unknown): unknown {
	const value = JSON.parse(text) as { schema: Record<string, unknown> };
	const key = pointer.split('/').at(-1)!;
	if (after === undefined) delete value.schema[key];
	else value.schema[key] = after;
	return value;
}

const a = { type: 'string' };
const b = { type: 'integer', enum: [1, 2] };

describe('updateValue writes only what differs', () => {
	it.each<[string, string, unknown, string]>([
		['a changed value', '/schema/properties', { a: { type: 'number' }, b, c: {} }, text.replace('"string"', '"number"')],
		['a renamed property', '/schema/properties', { first: a, b, c: {} }, text.replace('"a": {', '"first": {')],
		['a moved property', '/schema/properties', { b, a, c: {} }, text.replace('"a": {"type":"string" },\n  "b":{ "type": "integer","enum":[1,  2] }', '"b":{ "type": "integer","enum":[1,  2] },\n  "a": {"type":"string" }')],
		['a list with another order', '/schema/required', ['b', 'a'], text.replace('"a",   "b"', '"b",   "a"')],
		['the same value', '/schema/required', ['a', 'b'], text],
		['a removed list', '/schema/required', undefined, text.replace(',\n     "required":["a",   "b"]', '')],
		['a changed item', '/schema/required', ['a', 'x'], text.replace('"a",   "b"', '"a",   "x"')]
	])('%s', (_, pointer, after, expected) => expect(update(pointer, after)).toBe(expected));

	it.each<[string, string, unknown]>([
		['a removed and an added property', '/schema/properties', { b, d: { type: 'x' } }],
		['all in another order', '/schema/properties', { c: {}, b, a }],
		['a longer list', '/schema/required', ['x', 'a', 'b', 'c']],
		['a shorter list', '/schema/required', ['b']],
		['an empty list', '/schema/required', []],
		['another kind of value', '/schema/required', { a: 1 }],
		['a value that is not there', '/schema/order', ['a']]
	])('gives %s', (_, pointer, after) => void update(pointer, after));
});

it('a text in one line stays one', () => {
	expect(new JsonEdit('{"a":1}').set('/b', { c: [1] }).text).toBe('{"a":1,"b":{"c":[1]}}');
});

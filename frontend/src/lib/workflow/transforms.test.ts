import { expect, it } from 'vitest';
import { formatTyped, parseTyped, readTransform } from './transforms.ts';

it.each([
	['5', 'integer', { value: 5 }],
	['5.5', 'integer', { error: 'must be a whole number' }],
	['', 'number', { error: 'must be a number' }],
	['{"a": 1}', 'object', { value: { a: 1 } }],
	['[]', 'object', { error: 'must be an object: { … }' }],
	['x', 'array', { error: 'invalid JSON; strings need quotes' }],
	['5', '', { value: 5 }],
	['plain words', '', { value: 'plain words' }],
	['5', 'string', { value: '5' }],
	['https://a', 'image', { value: 'https://a' }]
])('parseTyped(%s, %s)', (text, type, expected) => expect(parseTyped(text, type)).toEqual(expected));

it.each([
	[undefined, 'string', ''],
	['a', 'image', 'a'],
	['a', 'array', '"a"'],
	[{ a: 1 }, 'object', '{\n  "a": 1\n}'],
	[5, 'number', '5']
])('formatTyped(%j, %s)', (value, type, text) => expect(formatTyped(value, type)).toBe(text));

it('readTransform refuses other forms', () => {
	expect([readTransform({ type: 'javascript' }), readTransform({ type: 'ai' }), readTransform(5)]).toEqual([{ type: 'javascript', expr: '' }, null, null]);
});

import { describe, expect, it } from 'vitest';
import { applyTextChanges } from './json-edit.ts';
import { formatText } from './format.ts';

describe('formatText', () => {
	it('indents, and keeps the order of keys and the content of strings', () => {
		const text = '{"b": [1,2],\n"a":{"x": "{ }"}, "c": []}';
		const formatted = applyTextChanges(text, formatText(text));
		expect(formatted).toBe('{\n  "b": [\n    1,\n    2\n  ],\n  "a": {\n    "x": "{ }"\n  },\n  "c": []\n}');
		expect(formatText(formatted)).toEqual([]);
	});
	it('leaves a text alone that is not JSON', () => expect(formatText('{"a": ')).toEqual([]));
});

import { describe, expect, it } from 'vitest';
import type { Fix } from '#lib/problems.ts';
import { applyFixes } from './fixes.ts';
import { applyTextChanges } from './json-edit.ts';

function fix(text: string, ...fixes: Fix[]): string {
	return applyFixes(text, fixes).reduce<string>((before, group) => applyTextChanges(before, group), text);
}

describe('applyFixes', () => {
	it('changes the text first, then the values', () => {
		const text = '{"a": 1,, "b": 2}';
		expect(fix(text, { label: '', pointer: '/b', value: 3 }, { label: '', changes: [{ from: 7, to: 8, insert: '' }] })).toBe('{"a": 1, "b": 3}');
	});
	it('renames a property, whatever was typed since, and changes no more of a value than what differs', () => {
		expect(fix('{"base_urll":  "b"}', { label: '', pointer: '/base_urll', name: 'base_url' })).toBe('{"base_url":  "b"}');
		expect(fix('{ "a": {"b":1,  "c": 2} }', { label: '', pointer: '/a', value: { b: 1, c: 3 } })).toBe('{ "a": {"b":1,  "c": 3} }');
	});
	it('leaves out places that do not exist', () => {
		expect(fix('{"a": 1}', { label: '', pointer: '/b', value: 3 })).toBe('{"a": 1}');
	});
	it('leaves out values while the text is not JSON', () => {
		expect(fix('{"a": 1', { label: '', pointer: '/a', value: 3 })).toBe('{"a": 1');
	});
	it('applies the first of overlapping changes', () => {
		const remove = (from: number, to: number): Fix => ({ label: '', changes: [{ from, to, insert: '' }] });
		expect(fix('abcdef', remove(1, 3), remove(2, 4), remove(4, 5))).toBe('adf');
	});
});

import { describe, expect, it } from 'vitest';
import { applyTextChanges } from './json-edit.ts';
import { findJsonFaults, isReadable } from './json-faults.ts';

/** A text, the beginning of each message, and the text after all fixes. */
const CASES: [text: string, messages: string[], fixed?: string][] = [
	['{"a": 1}', []],
	['  [1, -2.5e3, "a\\u00e9\\n", true, null, {}] \n', []],
	['{"a": 1,}', ['a comma must not stand before `}`'], '{"a": 1}'],
	['[1, 2, ]', ['a comma must not stand before `]`'], '[1, 2 ]'],
	['[1,, 2]', ['unexpected comma'], '[1, 2]'],
	['[, 1]', ['unexpected comma'], '[ 1]'],
	['{"a": 1 "b": 2}', ['a comma is missing before this'], '{"a": 1, "b": 2}'],
	['{"a": 1\n"b": 2}', ['a comma is missing before this'], '{"a": 1,\n"b": 2}'],
	['[{} {}]', ['a comma is missing before this'], '[{}, {}]'],
	['{"a" 1}', ['a colon is missing behind `a`'], '{"a": 1}'],
	['{"a" = 1}', ['a colon must stand between'], '{"a" : 1}'],
	['{"a": }', ['`a` has no value']],
	['{"a": , "b": 1}', ['`a` has no value']],
	['{"a": [1, {"b": 2', ['this `{` is not closed: `}]}` is missing'], '{"a": [1, {"b": 2}]}'],
	['{"a": [1, 2}', ['this `[` is not closed: `]` is missing'], '{"a": [1, 2]}'],
	['{"a": 1]', ['`]` found, but `{` in line 1 is closed by `}`'], '{"a": 1}'],
	['{"a": 1}}', ['unexpected text behind the end'], '{"a": 1}'],
	["{'a': 'it''s'}", ['strings need double quotes', 'strings need double quotes', 'a comma is missing', 'strings need double quotes', 'a colon is missing']],
	["{'a': 'x \"y\"'}", ['strings need double quotes', 'strings need double quotes'], '{"a": "x \\"y\\""}'],
	['{a: 1}', ['the key `a` needs double quotes'], '{"a": 1}'],
	['{"a": None, "b": True}', ['`None` is not JSON: write `null`', '`True` is not JSON: write `true`'], '{"a": null, "b": true}'],
	['{"a": abc}', ['`abc` needs double quotes'], '{"a": "abc"}'],
	['[.5, +1, 007]', ['`.5` is not a JSON number', '`+1`', '`007`'], '[0.5, 1, 7]'],
	['{"a": "b\n}', ['the string is not closed'], '{"a": "b"\n}'],
	['{"a": "b,\n"c": 1}', ['the string is not closed'], '{"a": "b",\n"c": 1}'],
	['["C:\\x"]', ['`\\x` is not an escape'], '["C:\\\\x"]'],
	['["a\tb"]', ['this character must be written as `\\t`'], '["a\\tb"]'],
	['{"a": 1, // one\n"b": 2}', ['JSON has no comments'], '{"a": 1, \n"b": 2}'],
	['{\n  // one\n  "b": 2\n}', ['JSON has no comments'], '{\n  "b": 2\n}'],
	['{/* one */"b": 2}', ['JSON has no comments'], '{"b": 2}'],
	['', ['the text is empty']],
	['{"a": @}', ['`@` needs double quotes'], '{"a": "@"}']
];

describe('findJsonFaults', () => {
	it.each(CASES)('%j', (text, messages, fixed) => {
		const faults = findJsonFaults(text);
		expect(faults.map(({ message }) => message)).toEqual(messages.map((message) => expect.stringContaining(message)));
		expect(faults.every(({ code, severity }) => code === 'malformed-json' && severity === 'error')).toBe(true);
		expect(isReadable(faults)).toBe(isJson(text));
		if (fixed === undefined) return;
		expect(applyTextChanges(text, faults.flatMap(({ fix }) => (fix && 'changes' in fix ? fix.changes : [])))).toBe(fixed);
		expect(isJson(fixed)).toBe(true);
	});

	it('names both places of a duplicate key, and removes the one that is ignored', () => {
		const text = '{\n  "a": {"x": 1},\n  "b": 2,\n  "a": 3\n}';
		const [fault, ...others] = findJsonFaults(text);
		expect(others).toEqual([]);
		expect(fault).toMatchObject({ code: 'duplicate-key', pointer: '/a', message: 'duplicate key `a`: the value in line 2 is ignored, the one in line 4 is used' });
		expect(text.slice(fault!.range!.from, fault!.range!.to)).toBe('"a"');
		expect(isReadable([fault!])).toBe(true);
		const fix = fault!.fix!;
		expect('changes' in fix && applyTextChanges(text, fix.changes)).toBe('{\n  "b": 2,\n  "a": 3\n}');
	});

	it('allows the same key in different objects', () => {
		expect(findJsonFaults('[{"a": 1}, {"a": {"a": 2}}]')).toEqual([]);
	});

	it('agrees with the parser on whether a damaged text is JSON', () => {
		const source = '{"a": [1, "b\\n", {"c": null}], "d": -0.5, "e": {}}';
		for (let at = 0; at < source.length; at++) {
			for (const damaged of [source.slice(0, at) + source.slice(at + 1), source.slice(0, at), `${source.slice(0, at)},${source.slice(at)}`, `${source.slice(0, at)}"${source.slice(at)}`]) {
				expect(isReadable(findJsonFaults(damaged)), damaged).toBe(isJson(damaged));
			}
		}
	});

	it('ends for a text without structure', () => {
		expect(findJsonFaults(']]}}'.repeat(500)).length).toBeLessThanOrEqual(20);
		expect(findJsonFaults('{'.repeat(500)).length).toBeGreaterThan(0);
	});
});

function isJson(text: string): boolean {
	try {
		JSON.parse(text);
		return true;
	} catch {
		return false;
	}
}

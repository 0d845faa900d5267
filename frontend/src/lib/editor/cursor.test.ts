import { describe, expect, it } from 'vitest';
import { cursorAt } from './cursor.ts';

/** The cursor at `‸`: its kind, its path, its token, and the content of its string. */
function at(marked: string) {
	const position = marked.indexOf('‸');
	const text = marked.replace('‸', '');
	const found = cursorAt(text, position);
	return found && [found.kind, found.path.join('/'), text.slice(found.token.from, found.token.to), found.string && text.slice(found.string.from, found.string.to)];
}

describe('cursorAt', () => {
	it.each([
		['‸', ['value', '', '', null]],
		['{‸}', ['key', '', '', null]],
		['{"a‸b"}', ['key', '', '"ab"', 'ab']],
		['{"‸": 1}', ['key', '', '""', '']],
		['{"a": ‸}', ['value', 'a', '', null]],
		['{"a": "‸x"}', ['value', 'a', '"x"', 'x']],
		['{"a": tr‸ }', ['value', 'a', 'tr', null]],
		['{"a": {"b": [1, ‸2]}}', ['value', 'a/b/1', '', null]],
		['{"a": {"b": [1, 2‸]}}', ['value', 'a/b/1', '2', null]],
		['{"a": [{"b": 1}, {‸}]}', ['key', 'a/1', '', null]],
		['{"a": 1, ‸}', ['key', '', '', null]],
		['{"a": 1 ‸ }', ['key', '', '', null]],
		['[1 ‸ ]', ['value', '1', '', null]],
		['{"a": "b‸', ['value', 'a', '"b', 'b']],
		['{"a": {"b": 1}, "c": {"d": ‸', ['value', 'c/d', '', null]],
		['{"a" ‸: 1}', null],
		['{"a": 1} ‸', null],
		['{ /* ‸ */ }', null]
	])('%s', (marked, expected) => expect(at(marked)).toEqual(expected));

	it.each([
		['{"a": 1 ‸ }', 7, '}', false],
		['{"a": 1, ‸ "b": 2}', null, '"', false],
		['{‸ "b": 2}', null, '"', true],
		['[{}‸]', 3, ']', false]
	])('says whether commas are missing: %s', (marked, comma, next, isFirst) => {
		expect(cursorAt(marked.replace('‸', ''), marked.indexOf('‸'))).toMatchObject({ comma, next, isFirst });
	});
});

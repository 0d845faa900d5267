import { describe, expect, it } from 'vitest';
import { findReferences, formatPath, renameInExpression } from './references.ts';

describe('findReferences', () => {
	it.each([
		['results.a', ['a']],
		['results.a.b.results.c', ['a']],
		['results?.a ?? results["b c"]', ['a', 'b c']],
		['{ x: results.a, y: [results.b] }', ['a', 'b']],
		['`${results.a.url} and ${results.b}`', ['a', 'b']],
		['"results.a" + flow_input.results.b', []],
		['// results.a\nresults.b', ['b']],
		['results.a + (results.', ['a']],
		['results["b c"].d[0]["e"]', ['b c']],
		['results[0].a', []],
		['flow_input.results', []],
		['my_results.a', []],
		['results[name]', []],
		['', []]
	])('%s', (expression, steps) => expect(findReferences(expression).map(({ step }) => step)).toEqual(steps));
});

describe('renameInExpression', () => {
	it.each([
		['results.a.a + results.ab', 'results.z.a + results.ab'],
		["results['a'] + results.a", 'results["z"] + results.z'],
		['results["a"].b[0]', 'results["z"].b[0]'],
		['"results.a"', '"results.a"']
	])('%s', (before, after) => expect(renameInExpression(before, new Map([['a', 'z']]))).toBe(after));
	it.each([
		['results.a.url', 'results["b c"].url'],
		['results?.a', 'results?.["b c"]']
	])('%s to a name with a space', (before, after) => expect(renameInExpression(before, new Map([['a', 'b c']]))).toBe(after));
	it('renames several at once', () => {
		const names = new Map([['a', 'b'], ['b', 'a']]);
		expect(renameInExpression('results.a + results.b', names)).toBe('results.b + results.a');
	});
});

it('formatPath quotes names that are no identifiers', () => {
	expect(formatPath('results', ['a', 'b c', 0, 'url'])).toBe('results.a["b c"][0].url');
});

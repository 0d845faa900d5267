import { describe, expect, it } from 'vitest';
import { mergeDocuments, startMerge } from './workflow-merge.ts';

const step = (id: string, more: object = {}) => ({ id, value: { type: 'identity' }, ...more });
const flow = (...modules: object[]) => ({ name: 'W', nodes: { value: { modules } } });
const ids = (merged: unknown) => (merged as ReturnType<typeof flow>).nodes.value.modules.map((module) => (module as { id: string }).id);

describe('combined values', () => {
	const cases: [string, unknown, unknown, unknown, unknown, string[]][] = [
		['only one side changed', { a: 1, b: 1 }, { a: 2, b: 1 }, { a: 1, b: 3 }, { a: 2, b: 3 }, []],
		['both made the same change', { a: 1 }, { a: 2 }, { a: 2 }, { a: 2 }, []],
		['both changed one value', { a: 1 }, { a: 2 }, { a: 3 }, { a: 3 }, ['a']],
		['they removed a key', { a: 1, b: 1 }, { b: 1 }, { a: 1, b: 2 }, { b: 2 }, []],
		['they removed what was changed here', { a: 1 }, {}, { a: 2 }, { a: 2 }, ['a']],
		['removed here what they changed', { a: 1 }, { a: 2 }, {}, {}, ['a']],
		['both added an object', {}, { a: { x: 1 } }, { a: { y: 2 } }, { a: { y: 2, x: 1 } }, []],
		['lists without ids', { a: [1] }, { a: [1, 2] }, { a: [0, 1] }, { a: [0, 1] }, ['a']]
	];
	it.each(cases)('%s', (_, base, theirs, mine, value, conflicts) => expect(mergeDocuments(base, theirs, mine)).toEqual({ value, conflicts }));
});

describe('combined steps', () => {
	const [a, b, c] = [step('a'), step('b'), step('c')];
	const cases: [string, object, object, object, string[], string[]][] = [
		['both added one', flow(a, b), flow(a, step('t'), b), flow(a, b, step('m')), ['a', 't', 'b', 'm'], []],
		['they removed one', flow(a, b), flow(b), flow(a, b, c), ['b', 'c'], []],
		['they removed one that was changed here', flow(a, b), flow(b), flow(step('a', { retry: {} }), b), ['a', 'b'], ['a']],
		['they moved one', flow(a, b, c), flow(c, a, b), flow(a, b, c, step('m')), ['c', 'm', 'a', 'b'], []],
		['both changed the step in the same place', flow(a), flow(step('a', { summary: 't' })), flow(step('a', { summary: 'm' })), ['a'], ['a › summary']],
		['both changed the step in different places', flow(a), flow(step('a', { summary: 't' })), flow(step('a', { sleep: 1 })), ['a'], []]
	];
	it.each(cases)('%s', (_, base, theirs, mine, expected, conflicts) => {
		const merged = mergeDocuments(base, theirs, mine);
		expect([ids(merged.value), merged.conflicts]).toEqual([expected, conflicts]);
	});
});

describe('what the merge view begins with', () => {
	const cases: [string, string | null, string, string, ReturnType<typeof startMerge>][] = [
		['their changes and mine', '{"a":1,"b":1}', '{"a":2,"b":1}', '{"a":1,"b":3}', { text: '{\n  "a": 2,\n  "b": 3\n}', conflicts: [] }],
		['a formatting that nothing changes is kept', '{"a":1}', '{"a":1}', '{ "a" : 2 }', { text: '{ "a" : 2 }', conflicts: [] }],
		['the base is unknown', null, '{"a":2}', '{"a":3}', { text: '{"a":3}', conflicts: null }],
		['a text that is no JSON', '{}', '{}', '{', { text: '{', conflicts: null }]
	];
	it.each(cases)('%s', (_, base, theirs, mine, expected) => expect(startMerge(base, theirs, mine)).toEqual(expected));
});

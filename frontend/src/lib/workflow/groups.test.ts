import { describe, expect, it } from 'vitest';
import { valueAt } from '#lib/pointer.ts';
import { addGroup, changeGroup, groupsAround, readGroups, removeGroup, shownGroups } from './groups.ts';
import type { Module } from './modules.ts';
import { StepEditor } from './step-edits.ts';

const step = (id: string): Module => ({ id, value: { type: 'identity' } });
const loop = (id: string, ...modules: Module[]): Module => ({ id, value: { type: 'whileloopflow', modules } });

/** A workflow of steps a, b, loop (x, y), c, d with groups that are written as `a-b`. */
function flow(...groups: string[]) {
	const written = groups.map((group) => ({ start_id: group.split('-')[0], end_id: group.split('-')[1] }));
	return { value: { modules: [step('a'), step('b'), loop('loop', step('x'), step('y')), step('c'), step('d')], groups: written } };
}

/** The groups of a document as they are written above. */
const written = (document: unknown) => readGroups(document).map(({ start, end }) => `${start}-${end}`).join(' ');
const m = (path: string) => `/value/modules/${path}`;

it.each([
	['a-b', 'a-b'],
	['b-a', 'b-a'],
	['a-d b-c x-x', 'a-d b-c x-x'],
	['a-b b-c', 'a-b'],
	['a-x none-a', '']
])('of the groups %s, the graph shows %s', (groups, shown) => {
	expect(shownGroups(flow(...groups.split(' '))).map(({ start, end }) => `${start}-${end}`).join(' ')).toBe(shown);
});

it('groupsAround names the innermost group first', () => {
	const document = flow('a-d', 'loop-loop', 'x-y', 'loop-loop');
	expect(groupsAround(document, m('2/value/modules/0')).map(({ pointer }) => pointer.at(-1))).toEqual(['2', '3', '1', '0']);
	expect(groupsAround(document, m('0')).map(({ pointer }) => pointer.at(-1))).toEqual(['0']);
});

describe('addGroup', () => {
	it.each([
		[['1', '0'], [], 'a-b'],
		[['3'], [], 'c-c'],
		[['2', '2/value/modules/0', '2/value/modules/1'], [], 'loop-loop'],
		[['2/value/modules/0', '2/value/modules/1'], [], 'x-y'],
		[['0', '2'], [], 'one another'],
		[['2/value/modules/0', '0'], [], 'one another'],
		[['failure'], [], 'one another'],
		[['1', '2'], ['a-b'], 'as a whole'],
		[['0', '1', '2'], ['a-b'], 'a-loop']
	])('%j beside %j: %s', (paths, groups, expected) => {
		const changes = addGroup(flow(...groups), paths.map(m));
		const group = typeof changes === 'string' ? null : (changes[0]?.[1] as object);
		const found = typeof changes === 'string' ? changes : written({ value: { groups: [group].flat() } });
		expect(found).toContain(expected);
	});
});

it('changeGroup writes what differs, and removeGroup leaves no empty list', () => {
	const [group] = readGroups(flow('a-b'));
	expect(changeGroup(group!, { title: 'T', note: '', color: 'gray' })).toEqual([['/value/groups/0/summary', 'T']]);
	expect(removeGroup(flow('a-b'), '/value/groups/0')).toEqual([['/value/groups', undefined]]);
	expect(removeGroup(flow('a-b', 'c-d'), '/value/groups/1')).toEqual([['/value/groups/1', undefined]]);
});

describe('edits of steps keep groups around them', () => {
	const edit = (groups: string, change: (editor: StepEditor) => ReturnType<StepEditor['move']>) => {
		const document = flow(...groups.split(' '));
		return valueAt(change(new StepEditor(JSON.stringify({ nodes: document }), '/nodes'))?.edit.value, '/nodes');
	};
	it.each([
		['a-c', ['0'], 'b-c'],
		['a-c', ['3'], 'a-loop'],
		['a-c', ['1'], 'a-c'],
		['c-a', ['0'], 'b-c'],
		['a-b b-c', ['0', '1'], 'b-c'],
		['a-b c-d', ['0', '1'], 'c-d'],
		['x-y', ['2'], ''],
		['a-b', ['1'], 'a-a'],
		['a-d', [], 'a-d']
	])('%s without %j is %s', (groups, paths, expected) => {
		expect(written(edit(groups, (editor) => editor.remove(paths.map(m))))).toBe(expected);
	});
	it.each([
		// The first step leaves upwards, downwards, into a loop.
		['b-c', ['1'], '0', 'loop-c'],
		['a-loop', ['0'], '5', 'b-loop'],
		['a-b', ['0'], '2/value/modules/0', 'b-b'],
		// Within the group, to its ends, and from outside into it.
		['a-c', ['0'], '2', 'b-c'],
		['a-c', ['4'], '1', 'a-c'],
		['b-c', ['0'], '2', 'b-c'],
		// All of its steps at once.
		['a-b', ['0', '1'], '5', 'a-b'],
		['a-b', ['0', '1'], '2/value/modules/1', 'a-b']
	])('%s with %j moved to %s is %s', (groups, paths, to, expected) => {
		expect(written(edit(groups, (editor) => editor.move(paths.map(m), m(to))))).toBe(expected);
	});
	it('a renamed step is renamed in its groups', () => {
		expect(written(edit('a-b b-c a-a', (editor) => editor.rename(m('0'), 'first')))).toBe('first-b b-c first-first');
	});
});

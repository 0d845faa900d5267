import { describe, expect, it } from 'vitest';
import { valueAt } from '#lib/pointer.ts';
import type { Module } from '#lib/workflow/modules.ts';
import type { Layout } from './flow.ts';
import { collapseGroups, restoreLayout } from './group-folding.ts';

const step = (id: string): Module => ({ id, value: { type: 'identity' } });
const loop = (id: string, ...modules: Module[]): Module => ({ id, value: { type: 'whileloopflow', modules } });

/** A workflow of steps a, b, loop (x, y), c, d with groups that are written as `a-b`, or `a-b!` if collapsed at first. */
function flow(groups: string) {
	const written = groups.split(' ').map((group) => ({ start_id: group.split(/[-!]/)[0], end_id: group.split(/[-!]/)[1], autocollapse: group.endsWith('!') }));
	return { value: { modules: [step('a'), step('b'), loop('loop', step('x'), step('y')), step('c'), step('d')], groups: written } };
}

/** The ids of the steps of a list, with those of collapsed groups as numbers. */
const ids = (document: unknown, list = '/value/modules') => (valueAt(document, list) as Module[]).map(({ id }) => id?.replace('/value/groups/', '#')).join(' ');
/** The groups as they are written above. */
const ends = (document: unknown) => (valueAt(document, '/value/groups') as Record<string, string>[]).map(({ start_id, end_id }) => `${start_id}-${end_id}`.replaceAll('/value/groups/', '#'));

describe('collapseGroups', () => {
	it.each([
		['a-b', [], 'a b loop c d'],
		['a-b!', [], '#0 loop c d'],
		['a-b!', ['@group/a/b'], 'a b loop c d'],
		['a-b c-d', ['@group/a/b', '@group/c/d'], '#0 loop #1'],
		['a-d! c-d!', [], '#0'],
		['b-a!', [], '#0 loop c d'],
		['a-x!', [], 'a b loop c d']
	])('%s with %j toggled: %s', (groups, toggled, expected) => {
		const document = flow(groups);
		collapseGroups(document, new Set(toggled));
		expect(ids(document)).toBe(expected);
	});

	it('keeps the frames of the groups around, and hides those inside', () => {
		const document = flow('a-d a-b! d-c! c-c a-b');
		expect(collapseGroups(document, new Set()).map(({ pointer }) => pointer.at(-1))).toEqual(['1', '2']);
		expect(ids(document)).toBe('#1 loop #2');
		expect(ends(document)).toEqual(['#1-#2', 'a-b', 'd-c', 'c-c', 'a-b']);
	});
});

it('restoreLayout names the places in the document with all steps', () => {
	const document = flow('a-b! x-y! c-d!');
	const hidden = collapseGroups(document, new Set());
	const node = (id: string, pointer: string) => ({ id, pointer, kind: 'identity', label: '', parent: null, x: 0, y: 0, width: 1, height: 1 });
	const edge = (insert_at: string) => ({ id: insert_at, source: '', target: '', kind: 'next', path: '', label: null, insert_at, label_x: 0, label_y: 0 });
	const places = ['/value/modules/0', '/value/modules/1', '/value/modules/1/value/modules/1', '/value/modules/2', '/value/modules/3'];
	const layout: Layout = { direction: 'down', width: 1, height: 1, nodes: [node('/value/groups/0', '/value/modules/0'), node('loop', '/value/modules/1')], edges: places.map(edge) };
	const restored = restoreLayout(layout, hidden);
	expect(restored.nodes.map(({ kind, pointer, isCollapsed }) => [kind, pointer, isCollapsed])).toEqual([['step_group', '/value/groups/0', true], ['identity', '/value/modules/2', undefined]]);
	expect(restored.edges.map(({ insert_at }) => insert_at)).toEqual(['/value/modules/0', '/value/modules/2', '/value/modules/2/value/modules/2', '/value/modules/3', '/value/modules/5']);
});

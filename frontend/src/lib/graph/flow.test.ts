import { describe, expect, it } from 'vitest';
import type { Problem } from '#lib/problems.ts';
import { findDropEdge, findNearestPlace } from './drop.ts';
import { findEnclosingCard, toGraph, type Layout, type LayoutNode } from './flow.ts';
import { toNoteNodes } from './note-nodes.ts';
import { countProblems } from './problem-counts.ts';
import { shiftIntoView } from './view.ts';

function node(id: string, pointer: string, kind = 'script'): LayoutNode {
	return { id, pointer, kind, label: id, parent: null, x: 10, y: 20, width: 220, height: 64 };
}

function problem(severity: Problem['severity'], pointer: string): Problem {
	return { severity, pointer, message: 'm' };
}

const loop = node('loop', '/value/modules/0', 'forloopflow');
const inner = node('inner', '/value/modules/0/value/modules/0');
const layout: Layout = {
	direction: 'down',
	width: 220,
	height: 400,
	nodes: [node('@start', '', 'start'), node('loop@group', '/value/modules/0', 'group'), loop, inner],
	edges: [{ id: 'e', source: 'loop', target: 'inner', kind: 'next', path: 'M0 0L1 1', label: null, insert_at: '/value/modules/0/value/modules/0', label_x: 0, label_y: 0 }]
};

describe('countProblems', () => {
	const check = (...problems: Problem[]) => Object.fromEntries(countProblems(layout.nodes, problems, '/nodes'));

	it('counts at the innermost module', () => {
		const found = check(
			problem('error', '/nodes/value/modules/0/value/modules/0/value/path'),
			problem('warning', '/nodes/value/modules/0/value/iterator'),
			problem('error', '/nodes/value/modules/0')
		);
		expect(found).toEqual({ inner: [1, 0], loop: [1, 1] });
	});
	it('ignores hints, other places and pointers with a similar prefix', () => {
		expect(check(problem('hint', '/nodes/value/modules/0'), problem('error', '/name'), problem('error', '/nodes/value/modules/01'))).toEqual({});
	});
});

describe('findEnclosingCard', () => {
	it.each([
		['/value/modules/0/value/modules/0/value/path', 'inner'],
		['/value/modules/0/value/iterator', 'loop'],
		['/value/modules/0', 'loop'],
		['/value/modules/00', undefined],
		['/schema', undefined],
		['', undefined]
	])('%j is %s', (pointer, id) => expect(findEnclosingCard(layout.nodes, pointer)?.id).toBe(id));
});

describe('toGraph', () => {
	const marks = { findings: new Map() };
	const first = toGraph(layout, marks);

	it('sets the type of each node; only cards are selectable', () => {
		expect(first.nodes.map(({ id, type, selectable }) => [id, type, selectable])).toEqual([
			['@start', 'marker', false],
			['loop@group', 'frame', false],
			['loop', 'card', true],
			['inner', 'card', true]
		]);
	});
	it('keeps what the library noted about a node that moves', () => {
		const measured = first.nodes.map((each) => ({ ...each, dragging: false, selected: true }));
		const [again] = toGraph({ ...layout, nodes: [{ ...loop, x: 99 }] }, marks, { nodes: measured, edges: [] }).nodes;
		expect(again).toMatchObject({ dragging: false, selected: true, position: { x: 99, y: 20 } });
	});
	it('reuses all that would say the same, and changes the rest alone', () => {
		const copy = structuredClone(layout);
		const measured = { ...first, nodes: first.nodes.map((each) => ({ ...each, dragging: false })) };
		const again = toGraph(copy, marks, measured);
		expect(again.nodes).toBe(measured.nodes);
		expect(again.edges).toBe(measured.edges);
		const changed = toGraph({ ...copy, nodes: copy.nodes.map((each) => (each.id === 'inner' ? { ...each, label: 'Renamed' } : each)) }, marks, measured);
		expect(changed.nodes.map((each, index) => each === measured.nodes[index])).toEqual([true, true, true, false]);
		expect(changed.nodes[3]).toMatchObject({ dragging: false, data: { label: 'Renamed' } });
		const marked = toGraph(copy, { ...marks, selected: new Set(['loop']), findings: new Map([['loop', [1, 0] as const]]) }, measured);
		expect(marked.nodes.map(({ id, selected, data }) => [id, selected, data.errors])).toEqual([
			['@start', false, 0],
			['loop@group', false, 0],
			['loop', true, 1],
			['inner', false, 0]
		]);
	});
	it.each<Partial<LayoutNode>>([{ kind: 'flow' }, { pointer: '/p' }, { x: 1 }, { y: 1 }, { width: 1 }, { height: 1 }, { isCollapsed: true }, { isReadOnly: true }])('draws a node again that has changed: %j', (change) => {
		const fresh = toGraph({ ...layout, nodes: layout.nodes.map((each) => (each.id === 'inner' ? { ...each, ...change } : each)) }, marks, first);
		expect(fresh.nodes.map((each, index) => each === first.nodes[index])).toEqual([true, true, true, false]);
		expect(fresh.edges).toBe(first.edges);
	});
	it.each([{ source: 's' }, { target: 't' }, { kind: 'loop' }, { path: 'M0 0' }, { label: 'l' }, { insert_at: null }, { label_x: 1 }, { label_y: 1 }])('draws an edge again that has changed: %j', (change) => {
		const fresh = toGraph({ ...layout, edges: [{ ...layout.edges[0]!, ...change }] }, marks, first);
		expect(fresh.nodes).toBe(first.nodes);
		expect(fresh.edges).not.toBe(first.edges);
	});
	it("keeps the core's own path", () => expect(first.edges[0]?.data?.path).toBe('M0 0L1 1'));
});

describe('findDropEdge', () => {
	const edge = (id: string, label_x: number, label_y: number, insert_at: string | null) => ({ ...layout.edges[0]!, id, label_x, label_y, insert_at });
	const edges = [edge('none', 100, 30, null), edge('first', 110, 60, '/value/modules/1'), edge('second', 110, 170, '/value/modules/2'), edge('inside', 110, 280, '/value/modules/2/value/modules/0')];
	const check = (x: number, y: number, ...dragged: string[]) => findDropEdge({ ...layout, edges }, { x, y, width: 220, height: 64 }, dragged)?.id;

	it('takes the place that the card covers best, else a near one', () => {
		expect(check(0, 20, '/value/modules/5')).toBe('first');
		expect(check(0, 90, '/value/modules/5')).toBe('second');
		expect(check(150, 170, '/value/modules/5')).toBe('second');
		expect(check(400, 100, '/value/modules/5')).toBeUndefined();
	});
	it('a point has a nearest place', () => {
		expect(findNearestPlace({ ...layout, edges }, 900, 20)).toBe('/value/modules/1');
		expect(findNearestPlace({ ...layout, edges: [] }, 0, 0)).toBeUndefined();
	});
	it('leaves out places that change nothing', () => {
		expect(check(0, 140, '/value/modules/2')).toBeUndefined();
		expect(check(0, 140, '/value/modules/1')).toBeUndefined();
		expect(check(0, 260, '/value/modules/2')).toBeUndefined();
		expect(check(0, 140, '/value/modules/2', '/value/modules/7')).toBe('second');
	});
});

it.each([
	[10, 100, 500, 0],
	[-20, 100, 500, 52],
	[450, 100, 500, -82],
	[20, 480, 500, 0],
	[30, 480, 500, -20]
])('shiftIntoView(%i, %i, %i) is %i', (start, length, size, shift) => expect(shiftIntoView(start, length, size)).toBe(shift));

it('toNoteNodes keeps what the library measured', () => {
	const note = { pointer: '/value/notes/0', id: 'a', text: '', color: 'blue', x: 1, y: 2, width: 200, height: 100 } as const;
	const [first] = toNoteNodes([note], [], true);
	expect(first).toMatchObject({ id: '@note/a', position: { x: 1, y: 2 }, draggable: true, selectable: false });
	expect(toNoteNodes([{ ...note, x: 5 }], [{ ...first!, measured: { width: 200 } }], true)[0]).toMatchObject({ measured: { width: 200 }, position: { x: 5, y: 2 } });
});

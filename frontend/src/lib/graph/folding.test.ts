import { describe, expect, it } from 'vitest';
import { valueAt } from '#lib/pointer.ts';
import type { Layout, LayoutEdge, LayoutNode } from './flow.ts';
import { countSteps, foldDocument, isCollapsible, unfoldLayout, type FoldedDocument } from './folding.ts';

const script = (id: string) => ({ id, value: { type: 'script' } });
const loop = (id: string, ...modules: object[]) => ({ id, value: { type: 'forloopflow', modules } });
const document = {
	value: {
		modules: [script('a'), loop('outer', loop('inner', script('deep')), script('b')), { id: 'sub', summary: 'Sub', value: { type: 'flow', path: 'workflow/w' } }],
		failure_module: script('failure')
	}
};
const subflow = { value: { modules: [script('a'), { id: 'again', value: { type: 'flow', path: 'workflow/v' } }] } };
const fold = (collapsed: string[], subflows: Record<string, unknown> = {}) =>
	foldDocument(document, { collapsed: new Set(collapsed), subflows: new Map(Object.entries(subflows)) });

describe('foldDocument', () => {
	it.each([[[], {}], [['a', 'missing'], {}], [[], { a: subflow }]])('changes nothing with %j and %j', (collapsed, subflows) => expect(fold(collapsed, subflows)).toBeNull());

	it('makes a collapsed module a single step, and leaves the document as it is', () => {
		const before = structuredClone(document);
		const folded = fold(['outer', 'inner'])!;
		expect(valueAt(folded.document, '/value/modules/1/value')).toEqual({ type: 'identity' });
		expect([...folded.collapsed]).toEqual([['outer', 'forloopflow']]);
		expect(document).toEqual(before);
	});

	it('puts the steps of sub-flows in their place, also in each other', () => {
		const folded = fold([], { sub: subflow, 'sub/again': { value: { modules: [loop('l')] } } })!;
		const ids = (at: string) => (valueAt(folded.document, at) as { id: string }[]).map(({ id }) => id);
		expect(ids('/value/modules/2/value/modules')).toEqual(['sub/a', 'sub/again']);
		expect(ids('/value/modules/2/value/modules/1/value/modules')).toEqual(['sub/again/l']);
		expect([...folded.opened]).toEqual([['sub', '/value/modules/2'], ['sub/again', '/value/modules/2/value/modules/1']]);
		expect(folded.modules.get('/value/modules/2/value/modules/1')?.value).toEqual({ type: 'flow', path: 'workflow/v' });
	});
});

it('unfoldLayout restores kinds and labels, and makes opened sub-flows read-only', () => {
	const node = (id: string, pointer: string, kind: string, label = id): LayoutNode => ({ id, pointer, kind, label, parent: null, x: 0, y: 0, width: 1, height: 1 });
	const edge = (kind: string, source: string, target: string, insert_at: string | null): LayoutEdge => ({ id: source + target, source, target, kind, path: '', label: null, insert_at, label_x: 0, label_y: 0 });
	const folded: FoldedDocument = { document, collapsed: new Map([['outer', 'forloopflow']]), opened: new Map([['sub', '/value/modules/2']]), modules: new Map(), groups: [] };
	const layout: Layout = {
		direction: 'down',
		width: 1,
		height: 1,
		nodes: [node('outer', '/value/modules/1', 'identity'), node('sub@group', '/value/modules/2', 'group'), node('sub', '/value/modules/2', 'forloopflow', 'Sub'), node('sub/a', '/value/modules/2/value/modules/0', 'script')],
		edges: [edge('next', 'outer', 'sub', '/value/modules/2'), edge('next', 'sub', 'sub/a', '/value/modules/2/value/modules/0'), edge('loop', 'sub@end', 'sub', null)]
	};
	const { nodes, edges } = unfoldLayout(layout, folded);
	expect(nodes.map(({ kind, label, isCollapsed, isReadOnly }) => [kind, label, isCollapsed, isReadOnly])).toEqual([
		['forloopflow', 'outer', true, undefined],
		['subflow', 'sub@group', undefined, undefined],
		['flow', 'Sub', undefined, undefined],
		['script', 'a', undefined, true]
	]);
	expect(edges.map(({ insert_at }) => insert_at)).toEqual(['/value/modules/2', null]);
});

it('countSteps counts the steps of all levels', () => {
	expect(countSteps(document.value.modules[1]!)).toBe(3);
	expect([isCollapsible(document.value.modules[1]), isCollapsible(document.value.modules[0]), isCollapsible(undefined)]).toEqual([true, false, false]);
});

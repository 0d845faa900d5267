import { expect, it } from 'vitest';
import type { Layout, LayoutEdge, LayoutNode } from './flow.ts';
import { cutThumbnail } from './thumbnail.ts';

const node = (id: string, x: number, y: number, kind = 'script') => ({ id, kind, x, y, width: 220, height: 64 }) as LayoutNode;
const edge = (source: string, target: string) => ({ id: `${source}-${target}`, source, target }) as LayoutEdge;

/** A sequence of steps, as wide as the layout of the core makes it. */
function sequence(steps: number): Layout {
	const nodes = Array.from({ length: steps }, (_, index) => node(`s${index}`, index * 284, 0, index === 0 ? 'start' : 'script'));
	return { direction: 'right', width: steps * 284 - 64, height: 64, nodes, edges: nodes.slice(1).map(({ id }, index) => edge(`s${index}`, id)) };
}

it('shows a small layout as a whole', () => {
	const { viewBox, nodes, edges, isCutRight, isCutAcross } = cutThumbnail(sequence(4));
	expect([viewBox, nodes.length, edges.length, isCutRight, isCutAcross]).toEqual(['-8 -8 1088 80', 4, 3, false, false]);
});

it('shows the first columns of a long layout, and draws no more than a wider picture could show', () => {
	const { viewBox, nodes, edges, isCutRight, isCutAcross } = cutThumbnail(sequence(200));
	expect([viewBox, nodes.length, edges.length, isCutRight, isCutAcross]).toEqual(['-8 -8 1716 80', 12, 12, true, false]);
});

it.each([
	['at the top', 0, 0],
	['in the middle', 3_000, 2_772],
	['at the bottom', 9_936, 9_480]
])('shows the lanes around a start %s', (_, start, top) => {
	const lanes = Array.from({ length: 100 }, (_, index) => node(`l${index}`, 284, index * 100));
	const { viewBox, nodes, isCutAcross } = cutThumbnail({ direction: 'right', width: 504, height: 10_000, nodes: [node('start', 0, start, 'start'), ...lanes], edges: [] });
	expect([viewBox, isCutAcross]).toEqual([`-8 ${top - 8} 520 536`, true]);
	expect(nodes.map(({ id }) => id)).toContain('start');
	expect(nodes.length).toBeLessThan(20);
});

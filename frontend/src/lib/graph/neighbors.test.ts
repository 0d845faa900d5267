import { expect, it } from 'vitest';
import type { Layout, LayoutNode } from './flow.ts';
import { findNeighbor, type Direction } from './neighbors.ts';

const card = (id: string, x: number, y: number, more: Partial<LayoutNode> = {}): LayoutNode => ({ id, pointer: `/value/modules/${id}`, kind: 'script', label: id, parent: null, x, y, width: 220, height: 64, ...more });
const layout: Layout = {
	direction: 'down',
	width: 500,
	height: 500,
	nodes: [card('@start', 130, 0, { kind: 'start', pointer: '' }), card('top', 130, 100), card('left', 0, 250), card('low', 0, 350), card('right', 260, 250), card('end', 130, 500), card('sub/x', 130, 400, { isReadOnly: true })],
	edges: []
};

it.each<[string, Direction, string | undefined]>([
	['top', 'down', 'left'],
	['left', 'right', 'right'],
	['right', 'left', 'left'],
	['left', 'down', 'low'],
	['right', 'down', 'end'],
	['low', 'down', 'end'],
	['end', 'up', 'low'],
	['low', 'right', 'right'],
	['top', 'up', undefined],
	['left', 'left', undefined],
	['unknown', 'down', undefined]
])('%s %s: %s', (id, direction, neighbor) => expect(findNeighbor(layout, id, direction)).toBe(neighbor));

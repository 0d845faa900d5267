import { describe, expect, it } from 'vitest';
import { findMapArea, outlineOf } from './minimap.ts';

const map = { width: 110, height: 60 };

describe('findMapArea', () => {
	it.each([
		['the whole graph', { width: 1000, height: 100 }, { x: 0, y: 0, width: 100, height: 50 }, { x: -50, y: -250, width: 1100, height: 600 }],
		['a high graph', { width: 100, height: 1000 }, { x: 0, y: 0, width: 100, height: 50 }, { x: -1050, y: -100, width: 2200, height: 1200 }],
		['a view beside the graph', { width: 500, height: 100 }, { x: -500, y: 0, width: 100, height: 50 }, { x: -550, y: -250, width: 1100, height: 600 }],
		['the surroundings of the view, if the graph is long', { width: 220, height: 90_000 }, { x: 0, y: 45_000, width: 1000, height: 500 }, { x: -820, y: 44_530, width: 2640, height: 1440 }],
		['the end of a long graph', { width: 220, height: 90_000 }, { x: 0, y: 89_500, width: 1000, height: 500 }, { x: -820, y: 88_680, width: 2640, height: 1440 }]
	])('shows %s', (_, graph, view, expected) => expect(findMapArea(graph, view, map)).toEqual(expected));
});

it('outlineOf draws all rectangles as one path', () => {
	expect(outlineOf([{ x: 1, y: 2, width: 3, height: 4 }, { x: -5, y: 0, width: 1, height: 1 }])).toBe('M1 2h3v4h-3zM-5 0h1v1h-1z');
	expect(outlineOf([])).toBe('');
});

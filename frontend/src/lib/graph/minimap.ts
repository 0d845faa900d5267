import type { Rectangle } from './flow.ts';

/** Free space around the content of the minimap, in its pixels. */
const MARGIN = 5;

/** The part of the graph that a minimap shows: all of it and what the pane shows, in the shape of the minimap. */
export function findMapArea(graph: { width: number; height: number }, view: Rectangle, map: { width: number; height: number }): Rectangle {
	const [left, top] = [Math.min(0, view.x), Math.min(0, view.y)];
	const [width, height] = [Math.max(graph.width, view.x + view.width) - left, Math.max(graph.height, view.y + view.height) - top];
	const scale = Math.max(width / (map.width - 2 * MARGIN), height / (map.height - 2 * MARGIN));
	const area = { width: scale * map.width, height: scale * map.height };
	return { x: left - (area.width - width) / 2, y: top - (area.height - height) / 2, ...area };
}

/** Path data of rectangles: one element instead of one per step. */
export function outlineOf(rectangles: readonly Rectangle[]): string {
	return rectangles.map(({ x, y, width, height }) => `M${x} ${y}h${width}v${height}h${-width}z`).join('');
}

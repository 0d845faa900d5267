import type { Rectangle } from './flow.ts';

/** Free space around the content of the minimap, in its pixels. */
const MARGIN = 5;

/** The most of the graph that a pixel shows, so that the cards of a long graph stay visible: a card is 220 wide. */
const MAX_SCALE = 24;

/**
 * The part of the graph that a minimap shows, in the shape of the minimap: all of it and what the pane shows, or of a
 * graph that is too long for that, what is around the pane.
 */
export function findMapArea(graph: { width: number; height: number }, view: Rectangle, map: { width: number; height: number }): Rectangle {
	const [left, top] = [Math.min(0, view.x), Math.min(0, view.y)];
	const [width, height] = [Math.max(graph.width, view.x + view.width) - left, Math.max(graph.height, view.y + view.height) - top];
	const inner = { width: map.width - 2 * MARGIN, height: map.height - 2 * MARGIN };
	const whole = Math.max(width / inner.width, height / inner.height);
	const scale = Math.min(whole, Math.max(MAX_SCALE, view.width / inner.width, view.height / inner.height));
	const margin = scale * MARGIN;
	return {
		x: placeSpan(scale * map.width, left - margin, width + 2 * margin, view.x + view.width / 2),
		y: placeSpan(scale * map.height, top - margin, height + 2 * margin, view.y + view.height / 2),
		width: scale * map.width,
		height: scale * map.height
	};
}

/** Where a span begins that shows another one: around its middle, or if it is too short for it, around a place in it. */
function placeSpan(length: number, begin: number, whole: number, place: number): number {
	if (whole <= length) return begin - (length - whole) / 2;
	return Math.min(Math.max(place - length / 2, begin), begin + whole - length);
}

/** Path data of rectangles: one element instead of one per step. */
export function outlineOf(rectangles: readonly Rectangle[]): string {
	return rectangles.map(({ x, y, width, height }) => `M${x} ${y}h${width}v${height}h${-width}z`).join('');
}

import type { Layout, LayoutEdge, LayoutNode } from './flow.ts';

/** The part of a layout that a small picture shows. */
export interface Thumbnail {
	/** The rectangle that must be visible: x, y, width, height. */
	viewBox: string;
	/** Cards, markers and frames that are at least partly inside, or near enough to fill a picture of another shape. */
	nodes: LayoutNode[];
	edges: LayoutEdge[];
	/** Whether columns are missing at the right. */
	isCutRight: boolean;
	/** Whether lanes are missing above or below. */
	isCutAcross: boolean;
}

/** Six columns: in a card of a list, a step is then about 30 pixels wide. */
const MAX_WIDTH = 1_700;
const MAX_HEIGHT = 520;
const MARGIN = 8;

/** Chooses what a small picture shows of a layout that runs to the right: all of it, or its first columns around the start. */
export function cutThumbnail({ width, height, nodes, edges }: Layout): Thumbnail {
	const shownWidth = Math.min(width, MAX_WIDTH);
	const shownHeight = Math.min(height, MAX_HEIGHT);
	const start = nodes.find(({ kind }) => kind === 'start');
	const middle = start ? start.y + start.height / 2 : height / 2;
	const top = Math.max(0, Math.min(middle - shownHeight / 2, height - shownHeight));
	const isNear = (node: LayoutNode | undefined) =>
		node !== undefined && node.x < 2 * shownWidth && node.y < top + 2 * shownHeight && node.y + node.height > top - shownHeight;
	const byId = new Map(nodes.map((node) => [node.id, node]));
	return {
		viewBox: `${-MARGIN} ${top - MARGIN} ${shownWidth + 2 * MARGIN} ${shownHeight + 2 * MARGIN}`,
		nodes: nodes.filter(isNear),
		edges: edges.filter(({ source, target }) => isNear(byId.get(source)) || isNear(byId.get(target))),
		isCutRight: shownWidth < width,
		isCutAcross: shownHeight < height
	};
}

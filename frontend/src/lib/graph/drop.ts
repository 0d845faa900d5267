import { isWithin } from '#lib/pointer.ts';
import type { Layout, LayoutEdge, Rectangle } from './flow.ts';

/** Largest distance in pixels between a dropped card and the edge on which it is inserted. */
const MAX_DROP_DISTANCE = 48;

/**
 * The edge on which a dropped card is inserted: the one whose insertion place the card covers or is nearest to.
 * `undefined` if none is near, or if the place is where the dragged steps are already, or inside one of them.
 */
export function findDropEdge(layout: Layout, card: Rectangle, dragged: readonly string[]): LayoutEdge | undefined {
	let nearest: LayoutEdge | undefined;
	let shortest = Infinity;
	for (const edge of layout.edges) {
		const { insert_at, label_x, label_y } = edge;
		if (insert_at === null) continue;
		const dx = Math.max(card.x - label_x, 0, label_x - card.x - card.width);
		const dy = Math.max(card.y - label_y, 0, label_y - card.y - card.height);
		if (Math.hypot(dx, dy) > MAX_DROP_DISTANCE) continue;
		const distance = Math.hypot(card.x + card.width / 2 - label_x, card.y + card.height / 2 - label_y);
		if (distance < shortest) [nearest, shortest] = [edge, distance];
	}
	return nearest && !isOwnPlace(nearest.insert_at ?? '', dragged) ? nearest : undefined;
}

/** The insertion place that is nearest to a point; `undefined` if there is none. */
export function findNearestPlace({ edges }: Layout, x: number, y: number): string | undefined {
	const places = edges.flatMap(({ insert_at, label_x, label_y }) => (insert_at === null ? [] : [{ insert_at, distance: Math.hypot(label_x - x, label_y - y) }]));
	return places.sort((one, other) => one.distance - other.distance)[0]?.insert_at;
}

/** Whether moving steps to a place would change nothing, or put one of them into itself. */
function isOwnPlace(place: string, dragged: readonly string[]): boolean {
	if (dragged.some((pointer) => isWithin(place, pointer) && (place !== pointer || dragged.length === 1))) return true;
	const before = place.replace(/\d+$/, (index) => String(Number(index) - 1));
	return dragged.length === 1 && before === dragged[0];
}

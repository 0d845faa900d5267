import { isCard, type Layout, type LayoutNode } from './flow.ts';

/** A direction on the screen. */
export type Direction = 'up' | 'down' | 'left' | 'right';

/** The card next to a card in a direction: near ones straight ahead come first. `undefined` if there is none. */
export function findNeighbor({ nodes }: Layout, id: string, direction: Direction): string | undefined {
	const from = nodes.find((node) => node.id === id);
	if (!from) return undefined;
	const isVertical = direction === 'up' || direction === 'down';
	const sign = direction === 'down' || direction === 'right' ? 1 : -1;
	let [nearest, shortest]: [string | undefined, number] = [undefined, Infinity];
	for (const node of nodes) {
		if (node.id === id || !isCard(node) || node.isReadOnly) continue;
		const [dx, dy] = [middleX(node) - middleX(from), middleY(node) - middleY(from)];
		const ahead = (isVertical ? dy : dx) * sign;
		// Cards that overlap in the direction are beside, not ahead.
		if (ahead < (isVertical ? from.height : from.width / 2)) continue;
		const aside = Math.max(0, isVertical ? Math.abs(dx) - from.width : Math.abs(dy) - from.height);
		const distance = ahead + 4 * aside;
		if (distance < shortest) [nearest, shortest] = [node.id, distance];
	}
	return nearest;
}

const middleX = ({ x, width }: LayoutNode) => x + width / 2;
const middleY = ({ y, height }: LayoutNode) => y + height / 2;

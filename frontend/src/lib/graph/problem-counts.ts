import type { Problem } from '#lib/problems.ts';
import { isCard, type LayoutNode } from './flow.ts';

/** Counts errors and warnings per node. A problem counts for the innermost module that contains it. */
export function countProblems(nodes: readonly LayoutNode[], problems: readonly Problem[], prefix: string): Map<string, [number, number]> {
	const found = new Map<string, [number, number]>();
	if (problems.length === 0) return found;
	const cards = new Map(nodes.filter(isCard).map((node) => [node.pointer, node.id]));
	for (const problem of problems) {
		if (problem.severity === 'hint' || !problem.pointer.startsWith(prefix)) continue;
		const card = cardAround(cards, problem.pointer.slice(prefix.length));
		if (card === undefined) continue;
		const [errors, warnings] = found.get(card) ?? [0, 0];
		found.set(card, problem.severity === 'error' ? [errors + 1, warnings] : [errors, warnings + 1]);
	}
	return found;
}

/** Walks up from a place, so that the time does not depend on the number of cards. */
function cardAround(cards: ReadonlyMap<string, string>, pointer: string): string | undefined {
	for (let at = pointer; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) {
		const card = cards.get(at);
		if (card !== undefined) return card;
	}
	return undefined;
}

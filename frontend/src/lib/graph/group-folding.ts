import { valueAt } from '#lib/pointer.ts';
import { isInGroup, shownGroups, type ShownGroup, type StepGroup } from '#lib/workflow/groups.ts';
import { isObject, type Module } from '#lib/workflow/modules.ts';
import type { Layout, LayoutNode } from './flow.ts';

/** Name by which a browser remembers whether a group is collapsed: other than its pointer, it stays if a group before it is removed. */
export const groupKey = ({ start, end }: StepGroup): string => `@group/${start}/${end}`;

/** Whether the steps of a group are hidden. `toggled` has the keys of the groups that are not as they are at first. */
export function isGroupCollapsed(group: StepGroup, toggled: ReadonlySet<string>): boolean {
	return toggled.has(groupKey(group)) !== group.isCollapsedAtFirst;
}

/**
 * Replaces the steps of each collapsed group by one step, in place, and returns the groups. Those inside another one are
 * left out. The step has the group's pointer as its id.
 */
export function collapseGroups(document: unknown, toggled: ReadonlySet<string>): ShownGroup[] {
	const groups = shownGroups(document);
	const collapsed = groups.filter((group) => isGroupCollapsed(group, toggled));
	const outermost = collapsed.filter((group) => !collapsed.some((other) => other !== group && contains(other, group)));
	// Also the lists inside steps that are hidden are found before anything is replaced. The last group of a list comes first.
	const places = outermost.map((group) => ({ group, list: valueAt(document, group.place.list) as Module[] }));
	places.sort((one, other) => other.group.place.first - one.group.place.first);
	for (const { group, list } of places) {
		const { first, last } = group.place;
		const card: Module = { id: group.pointer, summary: group.title || 'Group', value: { type: 'identity' } };
		list.splice(first, last - first + 1, card);
		for (const other of groups) if (contains(other, group)) moveEnds(document, other, group);
	}
	return outermost;
}

/** Whether a group contains another one. Of two with the same steps, the earlier one contains the later one. */
function contains(outer: ShownGroup, inner: ShownGroup): boolean {
	if (outer.place.list !== inner.place.list) return isInGroup(outer.place, inner.place.list);
	const [one, other] = [outer.place, inner.place];
	if (one.first === other.first && one.last === other.last) return outer.pointer.localeCompare(inner.pointer, 'en', { numeric: true }) < 0;
	return one.first <= other.first && other.last <= one.last;
}

/** A group that begins or ends in a collapsed one begins or ends at its card. */
function moveEnds(document: unknown, outer: ShownGroup, { place, pointer }: ShownGroup): void {
	const written = valueAt(document, outer.pointer);
	if (!isObject(written) || outer.place.list !== place.list) return;
	const [first, last] = outer.isReversed ? ['end_id', 'start_id'] : ['start_id', 'end_id'];
	if (outer.place.first === place.first) written[first] = pointer;
	if (outer.place.last === place.last) written[last] = pointer;
}

/** Turns the layout of a document with collapsed groups into one whose pointers are those of the document with all steps. */
export function restoreLayout(layout: Layout, hidden: readonly ShownGroup[]): Layout {
	if (hidden.length === 0) return layout;
	const byId = new Map(hidden.map((group) => [group.pointer, group]));
	const restore = (pointer: string) => restorePointer(pointer, hidden);
	const nodes = layout.nodes.map((node): LayoutNode => {
		const group = byId.get(node.id);
		if (group) return { ...node, kind: 'step_group', pointer: group.pointer, isCollapsed: true };
		// A step without an id of its own has its pointer as its id.
		return { ...node, pointer: restore(node.pointer) };
	});
	const edges = layout.edges.map((edge) => (edge.insert_at === null ? edge : { ...edge, insert_at: restore(edge.insert_at) }));
	return { ...layout, nodes, edges };
}

/** The pointer in the document with all steps. */
function restorePointer(pointer: string, hidden: readonly ShownGroup[]): string {
	let restored = '';
	for (const token of pointer.split('/').slice(1)) {
		const here = hidden.filter(({ place }) => place.list === restored).sort((one, other) => one.place.first - other.place.first);
		let index = Number(token);
		for (const { place } of here) if (index > place.first) index += place.last - place.first;
		restored += `/${here.length > 0 ? index : token}`;
	}
	return restored;
}

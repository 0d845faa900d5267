import type { JsonEdit } from '#lib/editor/json-edit.ts';
import { isWithin, valueAt } from '#lib/pointer.ts';
import { allModules, isObject, splitPlace, type Module, type PlacedModule } from './modules.ts';
import { NOTE_COLORS, type NoteColor, type ValueChanges } from './notes.ts';

/** Steps of one list that the graph shows as one. It is kept in `value.groups` of the OpenFlow document, which engines ignore. */
export interface StepGroup {
	/** JSON Pointer in the OpenFlow document. It is also the group's id in the layout. */
	pointer: string;
	/** Ids of the first and the last step, as they are written. */
	start: string;
	end: string;
	/** Empty if it has none. */
	title: string;
	note: string;
	color: NoteColor;
	/** Whether its steps are hidden until a user shows them. */
	isCollapsedAtFirst: boolean;
}

/** What a user changes in a group. */
export type GroupChange = Partial<Pick<StepGroup, 'title' | 'note' | 'color'>>;

/** Where the steps of a group are. */
export interface GroupPlace {
	/** JSON Pointer of their list. */
	list: string;
	first: number;
	last: number;
}

/** A group that the graph shows, with the place of its steps. */
export interface ShownGroup extends StepGroup {
	place: GroupPlace;
	/** Whether the step that is written as the first is the last one. */
	isReversed: boolean;
}

const GROUPS = '/value/groups';

/** Whether a JSON Pointer, or an id of the layout, is that of a group. */
export const isGroupPointer = (pointer: string): boolean => /^\/value\/groups\/\d+$/.test(pointer);

/** The group at a JSON Pointer; `undefined` if there is none. */
export function groupAt(document: unknown, pointer: string): StepGroup | undefined {
	const group = isGroupPointer(pointer) ? valueAt(document, pointer) : undefined;
	return isObject(group) ? readGroup(pointer, group) : undefined;
}

/** Reads a group, which may lack any field. */
export function readGroup(pointer: string, group: Record<string, unknown>): StepGroup {
	const text = (value: unknown) => (typeof value === 'string' ? value : '');
	return {
		pointer,
		start: text(group.start_id),
		end: text(group.end_id),
		title: text(group.summary),
		note: text(group.note),
		color: NOTE_COLORS.find((color) => color === group.color) ?? 'gray',
		isCollapsedAtFirst: group.autocollapse === true || group.collapsed_by_default === true
	};
}

/** All groups of a document, also those that the graph can't show. */
export function readGroups(document: unknown): StepGroup[] {
	const groups = valueAt(document, GROUPS);
	return Array.isArray(groups) ? groups.flatMap((_, index) => groupAt(document, `${GROUPS}/${index}`) ?? []) : [];
}

/** Steps that follow one another in one list, by their pointers; null if they don't. */
function placeOf(pointers: readonly string[]): GroupPlace | null {
	const places = pointers.map(splitPlace);
	const lists = new Set(places.map((place) => place?.list));
	const [list] = lists;
	if (list === undefined || lists.size !== 1) return null;
	const indices = places.flatMap((place) => place?.index ?? []).sort((one, other) => one - other);
	const [first, last] = [indices[0] ?? 0, indices.at(-1) ?? 0];
	return { list, first, last };
}

/** Whether two groups have steps in common, and each of them others too. */
function cuts(one: GroupPlace, other: GroupPlace): boolean {
	const [low, high] = one.first <= other.first ? [one, other] : [other, one];
	return low.list === high.list && low.first < high.first && high.first <= low.last && low.last < high.last;
}

/** The groups that the graph shows, with the places of their steps. The same rule as that of the core's layout. */
export function shownGroups(document: unknown): ShownGroup[] {
	const groups = readGroups(document);
	if (groups.length === 0) return [];
	const pointers = pointersById(document);
	const shown: ShownGroup[] = [];
	for (const group of groups) {
		const [start, end] = [pointers.get(group.start), pointers.get(group.end)];
		const place = start !== undefined && end !== undefined ? placeOf([start, end]) : null;
		if (place && !shown.some((other) => cuts(other.place, place))) shown.push({ ...group, place, isReversed: splitPlace(start ?? '')?.index !== place.first });
	}
	return shown;
}

function pointersById(document: unknown): Map<string, string> {
	const found = new Map<string, string>();
	for (const { pointer, module } of allModules(document)) if (module.id && !found.has(module.id)) found.set(module.id, pointer);
	return found;
}

/** Whether a place of the document is inside a group. */
export function isInGroup({ list, first, last }: GroupPlace, pointer: string): boolean {
	if (!isWithin(pointer, list) || pointer === list) return false;
	const index = Number(pointer.slice(list.length + 1).split('/')[0]);
	return index >= first && index <= last;
}

/** The groups around a step that the graph shows, innermost first. */
export function groupsAround(document: unknown, pointer: string): StepGroup[] {
	const depth = ({ place: { list, first, last } }: { place: GroupPlace }) => list.length - (last - first) / 1e6;
	const around = shownGroups(document).filter(({ place }) => isInGroup(place, pointer));
	// Of two groups with the same steps, the later one is inside.
	return around.reverse().sort((one, other) => depth(other) - depth(one));
}

/** The modules of a group, in order. */
export function stepsOfGroup(document: unknown, { list, first, last }: GroupPlace): PlacedModule[] {
	const modules = valueAt(document, list);
	if (!Array.isArray(modules)) return [];
	return modules.slice(first, last + 1).map((module: Module, offset) => ({ pointer: `${list}/${first + offset}`, module }));
}

/** Puts steps into a new group; the reason if that can't be done. */
export function addGroup(document: unknown, pointers: readonly string[]): ValueChanges | string {
	const outermost = pointers.filter((pointer) => !pointers.some((other) => other !== pointer && isWithin(pointer, other)));
	const place = placeOf(outermost);
	if (!place || place.last - place.first + 1 !== outermost.length) return 'Only steps that follow one another in one list can be grouped';
	if (shownGroups(document).some((other) => cuts(other.place, place))) return 'A group can contain another group only as a whole';
	const steps = stepsOfGroup(document, place).map(({ module }) => module.id);
	const [start, end] = [steps[0], steps.at(-1)];
	if (!start || !end) return 'Steps without an id can\'t be grouped';
	const group = { summary: '', start_id: start, end_id: end, color: NOTE_COLORS[1] };
	const groups = valueAt(document, GROUPS);
	return [Array.isArray(groups) && groups.length > 0 ? [`${GROUPS}/${groups.length}`, group] : [GROUPS, [group]]];
}

/** Changes a group. Only the fields that differ are written. */
export function changeGroup({ pointer, ...before }: StepGroup, change: GroupChange): ValueChanges {
	const changes: ValueChanges = [];
	if (change.title !== undefined && change.title !== before.title) changes.push([`${pointer}/summary`, change.title]);
	if (change.note !== undefined && change.note !== before.note) changes.push([`${pointer}/note`, change.note === '' ? undefined : change.note]);
	if (change.color !== undefined && change.color !== before.color) changes.push([`${pointer}/color`, change.color]);
	return changes;
}

/** Removes a group, not its steps; with the last one, also the list. */
export function removeGroup(document: unknown, pointer: string): ValueChanges {
	const groups = valueAt(document, GROUPS);
	return [[Array.isArray(groups) && groups.length === 1 ? GROUPS : pointer, undefined]];
}

/** The id that a group gets instead of that of a renamed step. */
export function renameInGroups(edit: JsonEdit, prefix: string, before: string, id: string): void {
	for (const { pointer, start, end } of readGroups(valueAt(edit.value, prefix))) {
		if (start === before) edit.set(`${prefix}${pointer}/start_id`, id);
		if (end === before) edit.set(`${prefix}${pointer}/end_id`, id);
	}
}

/**
 * Keeps groups around their steps after an edit moved or removed some: a group begins and ends at those that stayed. A
 * group whose steps all moved together goes with them, and one without steps is removed. `moved` has the ids of the
 * steps that were moved, without those inside them.
 */
export function keepGroups(edit: JsonEdit, prefix: string, before: unknown, moved: ReadonlySet<string> = new Set()): void {
	const after = valueAt(edit.value, prefix);
	const pointers = pointersById(after);
	for (const group of shownGroups(before).reverse()) {
		const ids = stepsOfGroup(before, group.place).flatMap(({ module }) => module.id ?? []);
		const left = ids.filter((id) => pointers.has(id));
		const stayed = left.filter((id) => !moved.has(id));
		const kept = stayed.length > 0 ? stayed : left;
		const [start, end] = [kept[0], kept.at(-1)];
		if (start === undefined || end === undefined) {
			for (const [pointer] of removeGroup(valueAt(edit.value, prefix), group.pointer)) edit.remove(prefix + pointer);
		} else if (start !== ids[0] || end !== ids.at(-1)) {
			edit.set(`${prefix}${group.pointer}/start_id`, start);
			edit.set(`${prefix}${group.pointer}/end_id`, end);
		}
	}
}

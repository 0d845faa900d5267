import { formatJson } from '#lib/format.ts';
import { isObject } from './modules.ts';
import { isSameJson } from './same-json.ts';

/** What the merge view begins with. */
export interface MergeStart {
	/** The combined text, in which the user can change more. */
	text: string;
	/** Places that both changed; null if it is unknown what was changed. */
	conflicts: string[] | null;
}

/** Combines texts as far as they can be read; `base` is null if it is unknown what they are based on. */
export function startMerge(base: string | null, theirs: string, mine: string): MergeStart {
	const [from, saved, own] = [base ?? undefined, theirs, mine].map((text) => (text === undefined ? undefined : parse(text)));
	if (!isObject(from) || !isObject(saved) || !isObject(own)) return { text: mine, conflicts: null };
	const { value, conflicts } = mergeDocuments(from, saved, own);
	return { text: isSameJson(value, own) ? mine : formatJson(value), conflicts };
}

function parse(text: string): unknown {
	try {
		return JSON.parse(text) as unknown;
	} catch {
		return undefined;
	}
}

/** Two sets of changes to one document, combined. */
export interface Merge {
	/** The combined document. Where both changed the same, it has one's own version. */
	value: unknown;
	/** Places that both changed in different ways, as names of keys and steps: `hat › retry`. */
	conflicts: string[];
}

/**
 * Combines the changes of another user with one's own. Lists of objects with ids, such as steps, are compared by id, so
 * that steps added by both are all there.
 */
export function mergeDocuments(base: unknown, theirs: unknown, mine: unknown): Merge {
	const conflicts: string[] = [];
	return { value: merge(base, theirs, mine, [], conflicts), conflicts };
}

function merge(base: unknown, theirs: unknown, mine: unknown, place: string[], conflicts: string[]): unknown {
	if (isSameJson(theirs, mine) || isSameJson(base, theirs)) return mine;
	if (isSameJson(base, mine)) return theirs;
	if (isObject(theirs) && isObject(mine) && (isObject(base) || base === undefined)) return mergeObjects(base ?? {}, theirs, mine, place, conflicts);
	const lists = [base ?? [], theirs, mine].map(byId);
	if (lists.every((list) => list !== null)) return mergeLists(lists as [ById, ById, ById], place, conflicts);
	conflicts.push(nameOf(place));
	return mine;
}

function mergeObjects(base: Record<string, unknown>, theirs: Record<string, unknown>, mine: Record<string, unknown>, place: string[], conflicts: string[]) {
	const merged: Record<string, unknown> = {};
	for (const key of new Set([...Object.keys(mine), ...Object.keys(theirs)])) {
		const value = merge(base[key], theirs[key], mine[key], [...place, key], conflicts);
		if (value !== undefined) merged[key] = value;
	}
	return merged;
}

/** A place as users name it: without the keys that only hold others. */
function nameOf(place: readonly string[]): string {
	return place.filter((key) => !['nodes', 'value', 'modules', 'input_transforms'].includes(key)).join(' › ');
}

type ById = Map<string, unknown>;

/** The elements of a list by their ids; null if it is no list, or not all have different ids. */
function byId(list: unknown): ById | null {
	if (!Array.isArray(list)) return null;
	const found = new Map(list.flatMap((item): [string, unknown][] => (isObject(item) && typeof item.id === 'string' ? [[item.id, item]] : [])));
	return found.size === list.length ? found : null;
}

function mergeLists([base, theirs, mine]: [ById, ById, ById], place: string[], conflicts: string[]): unknown[] {
	const common = (list: ById) => [...list.keys()].filter((id) => base.has(id) && theirs.has(id) && mine.has(id));
	// The order is one's own, unless only the other user changed it.
	const isTheirs = isSameJson(common(base), common(mine)) && !isSameJson(common(base), common(theirs));
	const [first, second] = isTheirs ? [theirs, mine] : [mine, theirs];
	const order = [...first.keys()];
	const others = [...second.keys()];
	others.forEach((id, index) => {
		if (order.includes(id)) return;
		const before = others.slice(0, index).findLast((other) => order.includes(other));
		order.splice(before === undefined ? 0 : order.indexOf(before) + 1, 0, id);
	});
	return order.flatMap((id) => {
		const value = merge(base.get(id), theirs.get(id), mine.get(id), [...place, id], conflicts);
		return value === undefined ? [] : [value];
	});
}

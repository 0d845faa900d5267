import { isObject } from '#lib/workflow/modules.ts';

/** A header or query parameter. */
export interface Pair {
	name: string;
	/** Text as it is; other values as JSON. */
	value: string;
}

const toText = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));

/** The entries of an object as rows. */
export function readPairs(value: unknown): Pair[] {
	return isObject(value) ? Object.entries(value).map(([name, found]) => ({ name, value: toText(found) })) : [];
}

/** Writes rows into an object; `undefined` if there are none. Values that were not changed keep their type. */
export function writePairs(before: unknown, pairs: readonly Pair[]): Record<string, unknown> | undefined {
	const old = isObject(before) ? before : {};
	const named = pairs.filter(({ name }) => name.trim() !== '');
	if (named.length === 0) return undefined;
	return Object.fromEntries(named.map(({ name, value }) => [name, Object.hasOwn(old, name) && toText(old[name]) === value ? old[name] : value]));
}

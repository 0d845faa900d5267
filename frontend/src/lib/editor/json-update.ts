import { formatPointer, valueAt } from '#lib/pointer.ts';
import type { JsonEdit } from './json-edit.ts';

type Properties = Record<string, unknown>;

/** Changes the value at a pointer to another one with as little text as possible: only what differs is written. */
export function updateValue(edit: JsonEdit, pointer: string, after: unknown): void {
	const before = valueAt(edit.value, pointer);
	if (after === undefined) edit.remove(pointer);
	else if (Array.isArray(before) && Array.isArray(after)) updateList(edit, pointer, before, after);
	else if (isProperties(before) && isProperties(after)) updateObject(edit, pointer, before, after);
	else edit.set(pointer, after);
}

function updateObject(edit: JsonEdit, pointer: string, before: Properties, after: Properties): void {
	const at = (key: string) => pointer + formatPointer([key]);
	const wanted = Object.keys(after).filter((key) => after[key] !== undefined);
	const renamed = findRenamed(before, after, wanted);
	if (renamed) edit.rename(at(renamed[0]), renamed[1]);
	for (const key of Object.keys(before)) if (key !== renamed?.[0] && !wanted.includes(key)) edit.remove(at(key));
	for (const key of wanted) updateValue(edit, at(key), after[key]);
	// Bring the properties into their order, each from where it is to its place.
	wanted.forEach((key, index) => {
		const order = Object.keys(valueAt(edit.value, pointer) as Properties);
		for (let place = order.indexOf(key); place > index; place--) edit.swap(at(order[place - 1]!), at(key));
	});
}

/** A property that has another name and the same value, in the same place. */
function findRenamed(before: Properties, after: Properties, wanted: readonly string[]): [from: string, to: string] | undefined {
	const names = Object.keys(before);
	const [gone, second] = names.filter((key) => !wanted.includes(key));
	const fresh = wanted.filter((key) => !Object.hasOwn(before, key));
	if (gone === undefined || second !== undefined || fresh.length !== 1 || names.indexOf(gone) !== wanted.indexOf(fresh[0]!)) return undefined;
	return isSame(before[gone], after[fresh[0]!]) ? [gone, fresh[0]!] : undefined;
}

function updateList(edit: JsonEdit, pointer: string, before: readonly unknown[], after: readonly unknown[]): void {
	let start = 0;
	while (start < before.length && start < after.length && isSame(before[start], after[start])) start++;
	let same = 0;
	while (same < Math.min(before.length, after.length) - start && isSame(before.at(-1 - same), after.at(-1 - same))) same++;
	const [oldEnd, newEnd] = [before.length - same, after.length - same];
	const [first, last] = [before.slice(start, oldEnd), after.slice(start, newEnd)];
	if (first.length === last.length && first.length > 1 && isRotation(first, last)) return rotate(edit, pointer, start, first, last);
	for (let index = oldEnd - 1; index >= newEnd && index >= start; index--) edit.remove(`${pointer}/${index}`);
	for (let index = start; index < newEnd; index++) {
		if (index < oldEnd) updateValue(edit, `${pointer}/${index}`, after[index]);
		else edit.insert(`${pointer}/${index}`, after[index]);
	}
}

/** Whether one element was moved from one end to the other. */
function isRotation(before: readonly unknown[], after: readonly unknown[]): boolean {
	return isSame([...before.slice(1), before[0]], after) || isSame([before.at(-1), ...before.slice(0, -1)], after);
}

function rotate(edit: JsonEdit, pointer: string, start: number, before: readonly unknown[], after: readonly unknown[]): void {
	const count = before.length - 1;
	const isDown = isSame(before[0], after[count]);
	for (let step = 0; step < count; step++) {
		const at = start + (isDown ? step : count - 1 - step);
		edit.swap(`${pointer}/${at}`, `${pointer}/${at + 1}`);
	}
}

function isSame(one: unknown, other: unknown): boolean {
	return JSON.stringify(one) === JSON.stringify(other);
}

function isProperties(value: unknown): value is Properties {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

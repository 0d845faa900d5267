import { isObject } from './modules.ts';

/** Whether two JSON values are the same. The order of keys doesn't count. */
export function isSameJson(one: unknown, other: unknown): boolean {
	if (one === other) return true;
	if (Array.isArray(one) && Array.isArray(other)) return one.length === other.length && one.every((item, index) => isSameJson(item, other[index]));
	if (!isObject(one) || !isObject(other)) return false;
	const keys = Object.keys(one);
	return keys.length === Object.keys(other).length && keys.every((key) => Object.hasOwn(other, key) && isSameJson(one[key], other[key]));
}

import { isWithin, valueAt } from '#lib/pointer.ts';
import { childLists, isObject, splitPlace } from './modules.ts';

/**
 * All places at which a step can be inserted, in document order: before each step, in each list inside it, and behind the
 * last step. `within` is the list to begin with.
 */
export function listPlaces(document: unknown, within = '/value/modules'): string[] {
	const modules = valueAt(document, within);
	const list: unknown[] = Array.isArray(modules) ? modules : [];
	const places = list.flatMap((module, index) => {
		const pointer = `${within}/${index}`;
		const inner = isObject(module) ? childLists({ pointer, module }).flatMap((each) => listPlaces(document, each)) : [];
		return [pointer, ...inner];
	});
	return [...places, `${within}/${list.length}`];
}

/**
 * The place to which steps go if they are moved one place up (-1) or down (1), which leads into and out of loops and
 * branches; null at the ends. `pointers` are in document order.
 */
export function findNextPlace(document: unknown, pointers: readonly string[], by: 1 | -1): string | null {
	const edge = splitPlace((by < 0 ? pointers[0] : pointers.at(-1)) ?? '');
	if (!edge) return null;
	const own = `${edge.list}/${by < 0 ? edge.index : edge.index + 1}`;
	const places = listPlaces(document).filter((place) => place === own || !pointers.some((pointer) => isWithin(place, pointer)));
	return places[places.indexOf(own) + by] ?? null;
}

import { expect, it } from 'vitest';
import { findNextPlace, listPlaces } from './places.ts';

const script = (id: string) => ({ id, value: { type: 'script' } });
const document = {
	value: {
		modules: [
			script('a'),
			{ id: 'loop', value: { type: 'forloopflow', modules: [script('inner')] } },
			{ id: 'choice', value: { type: 'branchone', branches: [{ modules: [] }], default: [script('other')] } }
		]
	}
};
const list = '/value/modules';
const inLoop = `${list}/1/value/modules`;
const [branch, otherwise] = [`${list}/2/value/branches/0/modules`, `${list}/2/value/default`];

it('listPlaces lists places in document order', () => {
	expect(listPlaces(document)).toEqual([`${list}/0`, `${list}/1`, `${inLoop}/0`, `${inLoop}/1`, `${list}/2`, `${branch}/0`, `${otherwise}/0`, `${otherwise}/1`, `${list}/3`]);
	expect(listPlaces({})).toEqual([`${list}/0`]);
});

it.each<[string[], 1 | -1, string | null]>([
	// Into a loop from above, and out of it again.
	[[`${list}/0`], 1, `${inLoop}/0`],
	[[`${inLoop}/0`], -1, `${list}/1`],
	[[`${inLoop}/0`], 1, `${list}/2`],
	// A loop goes into a branch, not into itself.
	[[`${list}/1`], 1, `${branch}/0`],
	[[`${list}/1`], -1, `${list}/0`],
	[[`${otherwise}/0`], -1, `${branch}/0`],
	[[`${otherwise}/0`], 1, `${list}/3`],
	[[`${list}/0`, `${list}/1`], 1, `${branch}/0`],
	[[`${list}/0`], -1, null],
	[[`${list}/2`], 1, null],
	[['/value/failure_module'], 1, null]
])('findNextPlace of %j by %i is %j', (pointers, by, place) => expect(findNextPlace(document, pointers, by)).toBe(place));

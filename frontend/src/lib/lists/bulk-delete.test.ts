import { expect, it } from 'vitest';
import { deleteEach, describeDeletion, splitByUse } from './bulk-delete.ts';

/** Deletes from a store in which an item can't be deleted while one that uses it is there. */
async function run(ids: string, uses: Record<string, string>) {
	const present = new Set(['a', 'b', 'c', 'd']);
	const result = await deleteEach(ids.split(''), async (id) => {
		if (present.has(uses[id] ?? '')) throw new Error(`used by ${uses[id]}`);
		present.delete(id);
	});
	return { left: [...present].join(''), failed: result.failed.map(({ item }) => item).join('') };
}

it.each([
	['ab', {}, { left: 'cd', failed: '' }],
	['ab', { a: 'd' }, { left: 'acd', failed: 'a' }],
	// `a` is used by `b`, which is deleted after it.
	['ab', { a: 'b' }, { left: 'cd', failed: '' }],
	['abc', { a: 'b', b: 'c' }, { left: 'd', failed: '' }]
])('deleteEach of %s with %j', async (ids, uses, expected) => expect(await run(ids, uses as Record<string, string>)).toEqual(expected));

const item = (name: string, usedBy: string[] = []) => ({ id: name, name, usedBy });

it('describeDeletion', () => {
	const failed = [{ item: item('X'), reason: 'used by a job' }];
	expect([
		describeDeletion({ deleted: [item('A')], failed: [] }, 'node'),
		describeDeletion({ deleted: [item('A'), item('B')], failed }, 'node'),
		describeDeletion({ deleted: [], failed }, 'node')
	]).toEqual(['Deleted node A.', 'Deleted 2 nodes. Could not delete X: used by a job.', 'Could not delete X: used by a job.']);
});

it('splitByUse', () => {
	const { free, used } = splitByUse([item('A', ['B']), item('B'), item('C', ['D'])]);
	expect([free, used].map((list) => list.map(({ name }) => name).join(''))).toEqual(['AB', 'C']);
});

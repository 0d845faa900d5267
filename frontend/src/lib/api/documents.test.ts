import { expect, it } from 'vitest';
import { fetchAll, type Page } from './documents.ts';

it('fetchAll fetches every page once, in order', async () => {
	const pages: Record<string, Page<number>> = {
		start: { items: [1, 2], next: 'b' },
		b: { items: [3], next: 'c' },
		c: { items: [], next: null }
	};
	const asked: (string | null)[] = [];
	const list = (cursor: string | null) => {
		asked.push(cursor);
		return Promise.resolve(pages[cursor ?? 'start']!);
	};
	expect(await fetchAll({ list })).toEqual([1, 2, 3]);
	expect(asked).toEqual([null, 'b', 'c']);
});

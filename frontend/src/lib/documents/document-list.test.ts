import { expect, it } from 'vitest';
import { arrangeDocuments, listNames } from './document-list.ts';
import type { Workflow } from '#lib/api/types.ts';

const document = (id: string, name: string, day: number, description = '') =>
	({ id, name, description, created_at: `2026-01-0${10 - day}T00:00:00Z`, updated_at: `2026-01-0${day}T00:00:00Z` }) as Workflow;
const all = [document('a', 'Poster 10', 1), document('b', 'poster 2', 3, 'with a hat'), document('c', 'Film', 2)];
const ids = (search: string, order: 'name' | 'updated' | 'created') => arrangeDocuments(all, search, order).map(({ id }) => id);

it('arrangeDocuments searches all words and sorts', () => {
	expect([ids('', 'updated'), ids('', 'created'), ids('', 'name'), ids('POSTER hat', 'name'), ids('x', 'name')]).toEqual([
		['b', 'c', 'a'],
		['a', 'c', 'b'],
		['c', 'b', 'a'],
		['b'],
		[]
	]);
});

it('arrangeDocuments puts what ran last first, and what never ran last', () => {
	const ranAt = ({ id }: Workflow) => ({ a: '2026-01-01T00:00:00Z', c: '2026-01-02T00:00:00Z' })[id];
	expect(arrangeDocuments(all, '', 'run', ranAt).map(({ id }) => id)).toEqual(['c', 'a', 'b']);
});

it('listNames', () => expect([listNames(['a']), listNames(['a', 'b', 'c', 'd', 'e'])]).toEqual(['a', 'a, b, c and 2 more']));

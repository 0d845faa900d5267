import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ListQuery } from './list-query.svelte.ts';

const DEFAULTS = { q: '', state: '', order: 'updated' };
const create = (search = '') => {
	const written: string[] = [];
	return { query: new ListQuery(DEFAULTS, new URLSearchParams(search), (next) => written.push(String(next))), written };
};

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('reads filters from the URL, with defaults for the others', () => {
	const { query } = create('q=hat&unknown=1');
	expect([query.get('q'), query.get('state'), query.get('order')]).toEqual(['hat', '', 'updated']);
});

it('writes only what differs from the defaults, once for several keys', () => {
	const { query, written } = create();
	query.set('q', 'h');
	query.set('q', 'hat');
	query.set('order', 'updated');
	vi.runAllTimers();
	expect(written).toEqual(['q=hat']);
});

it('keeps what is typed while an older URL arrives', () => {
	const { query } = create();
	query.set('q', 'hats');
	query.read(new URLSearchParams('q=hat'));
	expect(query.get('q')).toBe('hats');
	vi.runAllTimers();
	query.read(new URLSearchParams());
	expect(query.get('q')).toBe('');
});

it('writes nothing after the page was left', () => {
	const { query, written } = create();
	query.set('q', 'hat');
	query.cancel();
	vi.runAllTimers();
	expect(written).toEqual([]);
});

it('reset shows all items in the same order; an order hides nothing', () => {
	const { query, written } = create('q=hat&order=name');
	expect(query.isFiltered).toBe(true);
	query.reset();
	expect([query.isFiltered, query.get('order'), written]).toEqual([false, 'name', ['order=name']]);
});

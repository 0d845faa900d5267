import { onDestroy } from 'svelte';
import { afterNavigate, beforeNavigate, goto } from '$app/navigation';
import { page } from '$app/state';
import { ListQuery } from '#lib/lists/list-query.svelte.ts';

/** Creates the filters of a list of the current page, in its URL. Called while a component is initialised. */
export function useListQuery<N extends string>(defaults: Readonly<Record<N, string>>): ListQuery<N> {
	const write = (search: URLSearchParams) =>
		void goto(`${page.url.pathname}${search.size > 0 ? `?${search}` : ''}`, { replaceState: true, keepFocus: true, noScroll: true });
	const query = new ListQuery(defaults, page.url.searchParams, write);
	beforeNavigate(() => query.cancel());
	afterNavigate(() => query.read(page.url.searchParams));
	onDestroy(() => query.cancel());
	return query;
}

import { onMount } from 'svelte';
import { afterNavigate, goto } from '$app/navigation';
import { page } from '$app/state';

/** Calls `open` if the page's URL asks for a new item (`?new`), and removes that from the URL. Called while a component is initialised. */
export function onNewRequested(open: () => void): void {
	const check = () => {
		if (!page.url.searchParams.has('new')) return;
		open();
		void goto(page.url.pathname, { replaceState: true, keepFocus: true });
	};
	// The first page is mounted only after its navigation, when the user was loaded.
	onMount(check);
	afterNavigate(check);
}

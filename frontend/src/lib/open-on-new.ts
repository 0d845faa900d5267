import { afterNavigate, goto } from '$app/navigation';
import { page } from '$app/state';

/** Calls `open` if the page's URL asks for a new item (`?new`), and removes that from the URL. Called while a component is initialised. */
export function onNewRequested(open: () => void): void {
	afterNavigate(() => {
		if (!page.url.searchParams.has('new')) return;
		open();
		void goto(page.url.pathname, { replaceState: true, keepFocus: true });
	});
}

import { redirect } from '@sveltejs/kit';

/** The front page is the list of workflows. */
export function load(): never {
	redirect(307, '/workflows');
}

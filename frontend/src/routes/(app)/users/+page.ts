import { redirect } from '@sveltejs/kit';

/** Users and one's own account are on one page. */
export function load(): never {
	redirect(307, '/user');
}

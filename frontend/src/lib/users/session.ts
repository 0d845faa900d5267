import { createContext } from 'svelte';
import type { User } from '#lib/api/types.ts';

/** The current login session. */
export interface Session {
	readonly user: User;
	/** Ends the session and shows the login page. */
	logout(): Promise<void>;
}

/** Context of the session. All pages except the login page have one. */
export const [useSession, provideSession] = createContext<Session>();

/** URL of the login page, which returns to the current page afterwards. */
export function loginUrl(from: URL): string {
	const next = from.pathname + from.search;
	return next === '/' ? '/login' : `/login?next=${encodeURIComponent(next)}`;
}

/** Path to open after login. Only paths within this app are allowed. */
export function nextPath(login: URL): string {
	const next = login.searchParams.get('next') ?? '/';
	const url = URL.parse(next, login.origin);
	return next.startsWith('/') && url?.origin === login.origin ? url.pathname + url.search : '/';
}

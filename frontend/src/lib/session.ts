import { createContext } from 'svelte';
import type { User } from '#lib/api/types.ts';

/** Who is logged in. */
export interface Session {
	readonly user: User;
	/** Ends the session and shows the log-in page. */
	logout(): Promise<void>;
}

/** The session around a component: every page but the log-in page has one. */
export const [useSession, provideSession] = createContext<Session>();

/** The log-in page, which leads back to where the person wanted to go. */
export function loginUrl(from: URL): string {
	const next = from.pathname + from.search;
	return next === '/' ? '/login' : `/login?next=${encodeURIComponent(next)}`;
}

/** Where a log-in leads: a path of this app only, whatever the address says. */
export function nextPath(login: URL): string {
	const next = login.searchParams.get('next') ?? '/';
	const url = URL.parse(next, login.origin);
	return next.startsWith('/') && url?.origin === login.origin ? url.pathname + url.search : '/';
}

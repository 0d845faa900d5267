import createClient, { type Client } from 'openapi-fetch';
import { createContext } from 'svelte';
import { problemOf } from './problem.ts';
import type { paths } from './schema.ts';

/** The server's routes, typed by its own OpenAPI document; the session is a cookie that the browser keeps. */
export type Api = Client<paths>;

/** Makes the client; the server is the page's own origin. */
export function createApi(): Api {
	return createClient<paths>({ baseUrl: '' });
}

/** The client of the app around a component. */
export const [useApi, provideApi] = createContext<Api>();

interface Outcome<T> {
	data?: T;
	error?: unknown;
	response: Response;
}

/** A thing together with the version that a write names in `If-Match`. */
export interface Versioned<T> {
	data: T;
	etag: string | null;
}

/** Waits for a call and gives what came with its version. Throws `ProblemError`. */
export async function readVersioned<T>(call: Promise<Outcome<T>>): Promise<Versioned<T>> {
	const { data, error, response } = await call.catch((cause: unknown) => {
		throw problemOf(cause);
	});
	if (!response.ok) throw problemOf(error, response);
	return { data: data as T, etag: response.headers.get('etag') };
}

/** Waits for a call and gives what came. Throws `ProblemError`. */
export async function read<T>(call: Promise<Outcome<T>>): Promise<T> {
	return (await readVersioned(call)).data;
}

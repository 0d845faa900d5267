import createClient, { type Client } from 'openapi-fetch';
import { createContext } from 'svelte';
import { toProblemError } from './problem.ts';
import type { paths } from './schema.ts';

/** API client, typed by the OpenAPI document. The session is a cookie. */
export type Api = Client<paths>;

/** Creates a client for the page's own origin. */
export function createApi(): Api {
	return createClient<paths>({ baseUrl: '' });
}

/** Context of the API client. */
export const [useApi, provideApi] = createContext<Api>();

interface Outcome<T> {
	data?: T;
	error?: unknown;
	response: Response;
}

/** A document with its ETag, which a write sends in `If-Match`. */
export interface Versioned<T> {
	data: T;
	etag: string | null;
}

/** Awaits a request and returns its data with the ETag. Throws `ProblemError`. */
export async function unwrapVersioned<T>(call: Promise<Outcome<T>>): Promise<Versioned<T>> {
	const { data, error, response } = await call.catch((cause: unknown) => {
		throw toProblemError(cause);
	});
	if (!response.ok) throw toProblemError(error, response);
	return { data: data as T, etag: response.headers.get('etag') };
}

/** Awaits a request and returns its data. Throws `ProblemError`. */
export async function unwrap<T>(call: Promise<Outcome<T>>): Promise<T> {
	return (await unwrapVersioned(call)).data;
}

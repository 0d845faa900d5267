import { unwrap, unwrapVersioned, type Api, type Versioned } from './client.ts';
import type { Connector, NewConnector, NewNode, NewWorkflow, Node, Workflow } from './types.ts';

/** One page of a list, newest first. */
export interface Page<T> {
	items: T[];
	/** Cursor of the next page; null on the last. */
	next: string | null;
}

/** API operations for one kind of document. All of them throw `ProblemError`. */
export interface Documents<T> {
	list(cursor: string | null, limit?: number): Promise<Page<T>>;
	get(id: string): Promise<Versioned<T>>;
	create(body: unknown): Promise<Versioned<T>>;
	/** Replaces the version with this ETag; fails with 412 if it changed meanwhile. `null` replaces any version. */
	replace(id: string, body: unknown, etag: string | null): Promise<Versioned<T>>;
	remove(id: string): Promise<void>;
}

const ifMatch = (etag: string | null) => (etag === null ? {} : { 'If-Match': etag });
const page = (cursor: string | null, limit = 50) => ({ params: { query: { limit, cursor: cursor ?? undefined } } });

/** API operations for connectors. Bodies are sent as entered; the server validates them. */
export function connectors(api: Api): Documents<Connector> {
	return {
		list: (cursor, limit) => unwrap(api.GET('/api/v1/connectors', page(cursor, limit))),
		get: (id) => unwrapVersioned(api.GET('/api/v1/connectors/{id}', { params: { path: { id } } })),
		create: (body) => unwrapVersioned(api.POST('/api/v1/connectors', { body: body as NewConnector })),
		replace: (id, body, etag) =>
			unwrapVersioned(
				api.PUT('/api/v1/connectors/{id}', { params: { path: { id } }, headers: ifMatch(etag), body: body as NewConnector })
			),
		remove: async (id) => void (await unwrap(api.DELETE('/api/v1/connectors/{id}', { params: { path: { id } } })))
	};
}

/** API operations for nodes. */
export function nodes(api: Api): Documents<Node> {
	return {
		list: (cursor, limit) => unwrap(api.GET('/api/v1/nodes', page(cursor, limit))),
		get: (id) => unwrapVersioned(api.GET('/api/v1/nodes/{id}', { params: { path: { id } } })),
		create: (body) => unwrapVersioned(api.POST('/api/v1/nodes', { body: body as NewNode })),
		replace: (id, body, etag) =>
			unwrapVersioned(api.PUT('/api/v1/nodes/{id}', { params: { path: { id } }, headers: ifMatch(etag), body: body as NewNode })),
		remove: async (id) => void (await unwrap(api.DELETE('/api/v1/nodes/{id}', { params: { path: { id } } })))
	};
}

/** API operations for workflows. */
export function workflows(api: Api): Documents<Workflow> {
	return {
		list: (cursor, limit) => unwrap(api.GET('/api/v1/workflows', page(cursor, limit))),
		get: (id) => unwrapVersioned(api.GET('/api/v1/workflows/{id}', { params: { path: { id } } })),
		create: (body) => unwrapVersioned(api.POST('/api/v1/workflows', { body: body as NewWorkflow })),
		replace: (id, body, etag) =>
			unwrapVersioned(
				api.PUT('/api/v1/workflows/{id}', { params: { path: { id } }, headers: ifMatch(etag), body: body as NewWorkflow })
			),
		remove: async (id) => void (await unwrap(api.DELETE('/api/v1/workflows/{id}', { params: { path: { id } } })))
	};
}

/** Fetches all pages of a list. */
export async function fetchAll<T>(documents: Pick<Documents<T>, 'list'>): Promise<T[]> {
	const items: T[] = [];
	for (let cursor: string | null = null; ; ) {
		const next: Page<T> = await documents.list(cursor, 500);
		items.push(...next.items);
		if (next.next === null) return items;
		cursor = next.next;
	}
}

import { createQuery } from '@tanstack/svelte-query';
import { unwrap, type Api } from '#lib/api/client.ts';
import { connectors, fetchAll, nodes, workflows } from '#lib/api/documents.ts';
import type { Connector, DocumentCatalog, Node } from '#lib/api/types.ts';

/** Cache key of the catalog: pages that change documents invalidate it. */
export const CATALOG_KEY = ['catalog'] as const;

/** The catalog, read once for all pages that need it. The browser asks with the ETag of what it has. */
export function createCatalogQuery(api: Api) {
	return createQuery(() => ({ queryKey: CATALOG_KEY, queryFn: (): Promise<DocumentCatalog> => unwrap(api.GET('/api/v1/catalog')) }));
}

/** Documents that a dry run needs whole: it builds their calls, and uses the results that are pinned in them. */
export interface WholeCatalog {
	connectors: Record<string, Connector>;
	nodes: Record<string, Node>;
	/** OpenFlow documents of sub-flows. */
	workflows: Record<string, unknown>;
}

/** Fetches all documents that a workflow may refer to. */
export async function readWholeCatalog(api: Api): Promise<WholeCatalog> {
	const [connectorList, nodeList, workflowList] = await Promise.all([fetchAll(connectors(api)), fetchAll(nodes(api)), fetchAll(workflows(api))]);
	const byId = <T extends { id: string }>(list: T[]) => Object.fromEntries(list.map((document) => [document.id, document]));
	return { connectors: byId(connectorList), nodes: byId(nodeList), workflows: Object.fromEntries(workflowList.map((workflow) => [workflow.id, workflow.nodes])) };
}

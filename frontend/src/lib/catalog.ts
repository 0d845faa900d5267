import { createQuery } from '@tanstack/svelte-query';
import type { Api } from '#lib/api/client.ts';
import { connectors, fetchAll, nodes, workflows } from '#lib/api/documents.ts';
import type { Catalog } from '#lib/core.ts';

/** All documents that a workflow may refer to, and the names of the workflows by id. */
export interface DocumentCatalog extends Catalog {
	names: Record<string, string>;
}

/** Cache key of the catalog: pages that change documents invalidate it. */
export const CATALOG_KEY = ['catalog'] as const;

/** The catalog, read once for all pages that need it. */
export function createCatalogQuery(api: Api) {
	return createQuery(() => ({ queryKey: CATALOG_KEY, queryFn: () => readCatalog(api) }));
}

/** Fetches all documents that validation may look up, by id. */
async function readCatalog(api: Api): Promise<DocumentCatalog> {
	const [connectorList, nodeList, workflowList] = await Promise.all([fetchAll(connectors(api)), fetchAll(nodes(api)), fetchAll(workflows(api))]);
	const byId = <T extends { id: string }>(list: T[]) => Object.fromEntries(list.map((document) => [document.id, document]));
	return {
		connectors: byId(connectorList),
		nodes: byId(nodeList),
		workflows: Object.fromEntries(workflowList.map((workflow) => [workflow.id, workflow.nodes])),
		names: Object.fromEntries(workflowList.map((workflow) => [workflow.id, workflow.name]))
	};
}

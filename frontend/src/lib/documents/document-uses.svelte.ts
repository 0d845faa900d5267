import { createQuery, type CreateQueryResult } from '@tanstack/svelte-query';
import type { Api } from '#lib/api/client.ts';
import { fetchAll, nodes, workflows } from '#lib/api/documents.ts';
import type { Node, Workflow } from '#lib/api/types.ts';
import { findConnectorUses, findNodeUses, findWorkflowUses, type Uses } from '#lib/documents/document-uses.ts';

/** What uses the documents of a kind. Create it while a component is initialized. */
export class DocumentUses {
	readonly #nodes: CreateQueryResult<Node[], Error>;
	readonly #workflows: CreateQueryResult<Workflow[], Error>;
	readonly #uses: Uses;

	/** `path` is the plural of the kind: `connectors`. */
	constructor(api: Api, path: string) {
		this.#nodes = createQuery(() => ({ queryKey: ['nodes', 'list', 'all'], queryFn: () => fetchAll(nodes(api)), enabled: path === 'connectors' }));
		this.#workflows = createQuery(() => ({ queryKey: ['workflows', 'list', 'all'], queryFn: () => fetchAll(workflows(api)), enabled: path !== 'connectors' }));
		this.#uses = $derived.by((): Uses => {
			if (path === 'connectors') return findConnectorUses(this.#nodes.data ?? []);
			return path === 'nodes' ? findNodeUses(this.#workflows.data ?? []) : findWorkflowUses(this.#workflows.data ?? []);
		});
	}

	/** Names of what uses a document. */
	namesOf(id: string): readonly string[] {
		return this.#uses.get(id) ?? [];
	}
}

import type { Node, Workflow } from '#lib/api/types.ts';
import { allModules, nodeIdOf, subflowIdOf, type Module } from '#lib/workflow/modules.ts';

/** What uses each document, as names by the document's id. */
export type Uses = ReadonlyMap<string, readonly string[]>;

function collect<T extends { name: string }>(users: readonly T[], idsOf: (user: T) => readonly string[]): Uses {
	const found = new Map<string, string[]>();
	for (const user of users) {
		for (const id of new Set(idsOf(user))) found.set(id, [...(found.get(id) ?? []), user.name]);
	}
	return found;
}

const moduleIds = (workflow: Workflow, idOf: (module: Module) => string | null) => allModules(workflow.nodes).flatMap(({ module }) => idOf(module) ?? []);

/** Nodes that use each connector. */
export function findConnectorUses(nodes: readonly Node[]): Uses {
	return collect(nodes, ({ connector_id }) => [connector_id]);
}

/** Workflows that use each node. */
export function findNodeUses(workflows: readonly Workflow[]): Uses {
	return collect(workflows, (workflow) => moduleIds(workflow, nodeIdOf));
}

/** Workflows that use each workflow as a sub-flow. */
export function findWorkflowUses(workflows: readonly Workflow[]): Uses {
	return collect(workflows, (workflow) => moduleIds(workflow, subflowIdOf));
}

import type { components } from '#lib/api/schema.ts';

type TokenScope = components['schemas']['TokenScope'];

/** Describes in a few words what a token with scopes may do. */
export function describeScopes(scopes: TokenScope[]): string {
	return scopes.map(describeScope).join(', ');
}

function describeScope(scope: TokenScope): string {
	if ('proxy' in scope) return `proxy to ${scope.proxy.connector}`;
	const { workflows = [], nodes = [] } = scope.run;
	return `run ${[...workflows.map(nameWorkflow), ...nodes.map(nameNode)].join(', ')}`;
}

function nameWorkflow(id: string): string {
	return id === '*' ? 'all workflows' : id;
}

function nameNode(id: string): string {
	return id === '*' ? 'all nodes' : id;
}

import { connectors, nodes, workflows, type Documents } from '#lib/api/documents.ts';
import type { Api } from '#lib/api/client.ts';
import type { Connector, Node, Workflow } from '#lib/api/types.ts';

/** A document of any kind. */
export type AnyDocument = Connector | Node | Workflow;

/** What the pages say about one kind of document. */
export interface Kind<T extends AnyDocument> {
	/** The word for one. */
	word: string;
	/** The word for many, which is also the path. */
	path: string;
	documents(api: Api): Documents<T>;
	/** Where diagnostics of the server and the core begin in the text of the editor. */
	prefix: string;
	/** A new one to begin with. */
	template: Record<string, unknown>;
}

/** Connectors. */
export const CONNECTOR: Kind<Connector> = {
	word: 'connector',
	path: 'connectors',
	documents: connectors,
	prefix: '',
	template: {
		id: 'replicate',
		name: 'Replicate',
		base_url: 'https://api.replicate.com/v1',
		method: 'POST',
		header: { Authorization: 'Bearer $REPLICATE_API_TOKEN' }
	}
};

/** Nodes. */
export const NODE: Kind<Node> = {
	word: 'node',
	path: 'nodes',
	documents: nodes,
	prefix: '',
	template: {
		id: 'flux_kontext_pro',
		name: 'Flux Kontext Pro',
		description: 'Edits a picture as a text says',
		connector_id: 'replicate',
		input: [
			{ name: 'prompt', type: 'string', required: true, description: 'What to change' },
			{ name: 'input_image', type: 'string', required: true, description: 'Address of the picture' }
		],
		output: [{ name: 'output_image', type: 'string', mapping: 'output', description: 'Address of the result' }],
		data: {
			path: '/models/black-forest-labs/flux-kontext-pro/predictions',
			body: { input: '{{ input }}' },
			operation: 'replicate'
		}
	}
};

/** Workflows. */
export const WORKFLOW: Kind<Workflow> = {
	word: 'workflow',
	path: 'workflows',
	documents: workflows,
	prefix: '/nodes',
	template: {
		id: 'add_a_hat',
		name: 'Add a hat',
		description: 'Puts a hat on whoever is in the picture',
		nodes: {
			summary: 'Add a hat',
			schema: {
				type: 'object',
				properties: { input_image: { type: 'string', description: 'Address of the picture' } },
				required: ['input_image']
			},
			value: {
				modules: [
					{
						id: 'add_hat',
						summary: 'Add a hat',
						value: {
							type: 'script',
							path: 'node/flux_kontext_pro',
							input_transforms: {
								prompt: { type: 'static', value: 'Add a hat to the person' },
								input_image: { type: 'javascript', expr: 'flow_input.input_image' }
							}
						}
					}
				]
			}
		}
	}
};

const SERVERS_OWN = new Set(['id', 'created_at', 'updated_at', 'diagnostics']);

/** A document as it is edited: without what the server writes. */
export function editable(document: AnyDocument): Record<string, unknown> {
	return Object.fromEntries(Object.entries(document).filter(([key]) => !SERVERS_OWN.has(key)));
}

/** Every kind by its word. */
export const KINDS = { connector: CONNECTOR, node: NODE, workflow: WORKFLOW };

import { connectors, nodes, workflows, type Documents } from '#lib/api/documents.ts';
import type { Api } from '#lib/api/client.ts';
import type { Connector, Node, Workflow } from '#lib/api/types.ts';

/** A document of any kind. */
export type AnyDocument = Connector | Node | Workflow;

/** UI settings of one kind of document. */
export interface Kind<T extends AnyDocument> {
	/** Singular noun, such as `workflow`. */
	word: string;
	/** Plural noun, also used as the URL path. */
	path: string;
	documents(api: Api): Documents<T>;
	/** JSON Pointer of the validated document within the edited text. */
	prefix: string;
	/** Initial content of a new document. */
	template: Record<string, unknown>;
}

/** Connector documents. */
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

/** Node documents. */
export const NODE: Kind<Node> = {
	word: 'node',
	path: 'nodes',
	documents: nodes,
	prefix: '',
	template: {
		id: 'flux_kontext_pro',
		name: 'Flux Kontext Pro',
		description: 'Edits an image according to a prompt',
		connector_id: 'replicate',
		input: [
			{ name: 'prompt', type: 'string', required: true, description: 'What to change' },
			{ name: 'input_image', type: 'string', required: true, description: 'URL of the image' }
		],
		output: [{ name: 'output_image', type: 'string', mapping: 'output', description: 'URL of the result' }],
		data: {
			path: '/models/black-forest-labs/flux-kontext-pro/predictions',
			body: { input: '{{ input }}' },
			operation: 'replicate'
		}
	}
};

/** Workflow documents. */
export const WORKFLOW: Kind<Workflow> = {
	word: 'workflow',
	path: 'workflows',
	documents: workflows,
	prefix: '/nodes',
	template: {
		id: 'add_a_hat',
		name: 'Add a hat',
		description: 'Puts a hat on the person in the image',
		nodes: {
			summary: 'Add a hat',
			schema: {
				type: 'object',
				properties: { input_image: { type: 'string', description: 'URL of the image' } },
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

const SERVER_FIELDS = new Set(['id', 'created_at', 'updated_at', 'diagnostics']);

/** Returns a document without the fields that the server sets. */
export function editableFields(document: AnyDocument): Record<string, unknown> {
	return Object.fromEntries(Object.entries(document).filter(([key]) => !SERVER_FIELDS.has(key)));
}


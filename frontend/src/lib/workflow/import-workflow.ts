import { isObject } from './modules.ts';

/** A workflow read from a file. */
export interface ImportedWorkflow {
	name: string;
	description: string;
	nodes: Record<string, unknown>;
}

/** Reads a workflow from JSON: an exported one, or a bare OpenFlow document (of Windmill, for example). */
export function readImport(text: string): { workflow: ImportedWorkflow } | { error: string } {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch (error) {
		return { error: `invalid JSON: ${error instanceof Error ? error.message : String(error)}` };
	}
	if (!isObject(value)) return { error: 'a workflow is an object: { … }' };
	const nodes = isObject(value.nodes) ? value.nodes : value;
	if (!isObject(nodes.value) || !Array.isArray(nodes.value.modules)) return { error: 'no workflow: it has no list `value.modules`' };
	const string = (found: unknown) => (typeof found === 'string' ? found : '');
	return {
		workflow: {
			name: string(value.name) || string(nodes.summary) || 'Imported workflow',
			description: string(value.description) || string(nodes.description),
			// What surrounds an OpenFlow document of Windmill, such as its path, has no meaning here.
			nodes: nodes === value ? pickFields(nodes) : nodes
		}
	};
}

function pickFields(document: Record<string, unknown>): Record<string, unknown> {
	return Object.fromEntries(['summary', 'description', 'schema', 'value'].filter((key) => key in document).map((key) => [key, document[key]]));
}

import { unwrap, type Api } from '#lib/api/client.ts';
import type { Job } from '#lib/api/types.ts';
import type { LayoutNode } from '#lib/graph/flow.ts';
import { isInLoop, type Part } from '#lib/jobs/partial.ts';
import { isObject } from './modules.ts';
import { valueAt } from '#lib/pointer.ts';
import { fieldsFromSchema, jsonField, type Field } from '#lib/forms/schema-form.ts';

/** What is run. */
export interface RunSubject {
	/** The OpenFlow document in the editor. */
	document: unknown;
	/** Id of the saved workflow; null before it is created. */
	workflow: string | null;
	/** Whether the document is the saved one. */
	isSaved: boolean;
}

/** Fields for the inputs of a run. A single step requires none. Inside a loop, it also accepts the loop item. */
export function fieldsOfPart(part: Part, document: unknown, nodes: readonly LayoutNode[]): Field[] {
	const fields = fieldsFromSchema(valueAt(part.kind === 'version' ? part.document : document, '/schema'));
	if (part.kind !== 'only') return fields;
	const item = jsonField('iter', 'iter', 'The current item of the enclosing loop: {"index": 0, "value": …}.');
	return [...fields.map((field) => ({ ...field, required: false })), ...(isInLoop(part.step, nodes) ? [item] : [])];
}

/** Inputs with the schema's defaults for those that are not given, as the server fills them in. */
export function withDefaults(schema: unknown, input: Record<string, unknown>): Record<string, unknown> {
	const properties = isObject(schema) && isObject(schema.properties) ? schema.properties : {};
	const missing = Object.entries(properties).filter(([name, property]) => !(name in input) && isObject(property) && property.default !== undefined);
	return { ...input, ...Object.fromEntries(missing.map(([name, property]) => [name, (property as { default: unknown }).default])) };
}

/** What a run of a part does, in one sentence. */
export function describePart(part: Part, { isSaved }: RunSubject): string {
	switch (part.kind) {
		case 'version':
			return 'Runs the workflow as it was saved then. The workflow itself stays as it is.';
		case 'from':
			return 'Runs a step and what follows it, with the earlier results of the last run.';
		case 'until':
			return `${aboutEditor(isSaved)} Later steps are not run.`;
		case 'whole':
		case 'only':
			return aboutEditor(isSaved);
	}
}

const aboutEditor = (isSaved: boolean) => (isSaved ? 'Runs the saved workflow.' : 'Runs the workflow in the editor without saving it.');

/** Starts a job of the workflow: of the saved one or a version of it, otherwise with the document as it is in the editor. Throws `ProblemError`. */
export function startRun(api: Api, part: Part, { document, workflow, isSaved }: RunSubject, input: Record<string, unknown>, mocks: Record<string, unknown>): Promise<Job> {
	const version = part.kind === 'version' ? part.number : undefined;
	if (workflow !== null && (version !== undefined || (part.kind === 'whole' && isSaved))) {
		return unwrap(api.POST('/api/v1/workflow/{id}/run', { params: { path: { id: workflow } }, body: { input, version } }));
	}
	const selection = part.kind === 'until' || part.kind === 'only' ? { [part.kind]: part.step.id } : {};
	return unwrap(api.POST('/api/v1/workflows/run', { body: { document: document as Record<string, unknown>, workflow_id: workflow, input, mocks, ...selection } }));
}

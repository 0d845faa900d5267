import type { CatalogNode } from '#lib/api/types.ts';
import type { Catalog, Core } from '#lib/core.ts';
import type { Knowledge, Place, Suggestion } from '#lib/editor/knowledge.ts';
import { valueAtPath, type Path, type Schema } from '#lib/editor/schema.ts';
import { formatPrice } from '#lib/format.ts';
import { formatPointer } from '#lib/pointer.ts';
import { completeExpression } from './completion.ts';
import { allModules, isObject, moduleIds, nodeIdOf, subflowIdOf, type Module } from './modules.ts';
import { explainExpression } from './explain-expression.ts';
import { listScope, type LastRun, type ScopeEntry } from './scope.ts';
import { listInputs } from './step-inputs.ts';
import { makeStepId } from './step-edits.ts';
import { connectInputs, listTemplates } from './step-templates.ts';

/** Where the facts about a workflow come from. */
export interface WorkflowFacts {
	catalog: Catalog;
	/** Names of the workflows by id. */
	workflowNames: Readonly<Record<string, string>>;
	lastRun: LastRun | null;
	/** Id of the workflow; null for a new one. */
	self: string | null;
	/** Completes expressions. */
	core: Pick<Core, 'complete'>;
}

/** Builds what the text editor knows about workflows. `facts` is asked at each use. */
export function workflowKnowledge(schema: Schema, facts: () => WorkflowFacts): Knowledge {
	return {
		schema,
		values: (place) => suggestValues(place, facts()),
		keys: (place) => (place.formats.includes('inputs') ? suggestInputs(place, facts()) : []),
		parts: (place, value, offset) => {
			if (!place.formats.includes('expression')) return null;
			const { core, catalog } = facts();
			return completeExpression(core, { document: flowOf(place), catalog, pointer: formatPointer(flowPath(place.path)), scope: scopeOf(place, facts()) }, value.slice(0, offset));
		},
		explain: (place, value, offset) => explain(place, value, offset, facts())
	};
}

/** The path within the OpenFlow document, which is at `/nodes` of the text. */
function flowPath(path: Path): Path {
	return path.slice(1);
}

const flowOf = ({ document }: Place): unknown => (isObject(document) ? document.nodes : undefined);

function suggestValues(place: Place, facts: WorkflowFacts): Suggestion[] {
	return place.formats.flatMap((format) => {
		switch (format) {
			case 'node-path':
				return Object.values(facts.catalog.nodes).map((node) => ({ label: `node/${node.id}`, detail: node.name, info: describeNode(node), value: `node/${node.id}` }));
			case 'workflow-path':
				return Object.keys(facts.catalog.workflows)
					.filter((id) => id !== facts.self)
					.map((id) => ({ label: `workflow/${id}`, detail: facts.workflowNames[id] ?? '', value: `workflow/${id}` }));
			case 'step-id':
				return allModules(flowOf(place)).flatMap(({ module }) => (module.id ? [{ label: module.id, detail: module.summary ?? '', value: module.id }] : []));
			case 'input-name':
				return suggestInputNames(place);
			case 'input-value':
				return suggestInputValues(place, facts);
			case 'module':
				return suggestModules(place, facts);
			default:
				return [];
		}
	});
}

/** Names of the schema's properties that its list does not have yet. */
function suggestInputNames({ path, document }: Place): Suggestion[] {
	const schema = valueAtPath(document, path.slice(0, -2));
	const listed = valueAtPath(document, path.slice(0, -1));
	const names = isObject(schema) && isObject(schema.properties) ? Object.keys(schema.properties) : [];
	const used = Array.isArray(listed) ? listed.filter((_, index) => index !== path.at(-1)) : [];
	return names.filter((name) => !used.includes(name)).map((name) => ({ label: name, value: name }));
}

function suggestModules(place: Place, { catalog, workflowNames, self, lastRun }: WorkflowFacts): Suggestion[] {
	const flow = flowOf(place);
	const used = moduleIds(flow);
	const scope = listScope(flow, formatPointer(flowPath(place.path)), catalog, lastRun);
	return listTemplates(catalog, workflowNames, self).map((template) => {
		const module = template.create();
		module.id = makeStepId(module.id ?? template.name, used);
		return { label: template.name, detail: template.group, info: template.description, value: connectInputs(module, listInputs(module, catalog), scope) };
	});
}

/** The inputs that a step does not have yet, each with an empty constant. */
function suggestInputs(place: Place, { catalog }: WorkflowFacts): Suggestion[] {
	return listInputs(callAt(place, place.path.slice(0, -1)), catalog).map(({ name, type, required, description, schema: { fallback, options } }) => ({
		label: name,
		detail: required ? `${type}, required` : type,
		info: description,
		value: { type: 'static', value: fallback ?? options[0] ?? (type === 'string' || type === 'text' ? '' : null) }
	}));
}

/** The allowed values of the input that a constant is for. */
function suggestInputValues(place: Place, { catalog }: WorkflowFacts): Suggestion[] {
	const name = place.path.at(-2);
	const input = listInputs(callAt(place, place.path.slice(0, -3)), catalog).find((found) => found.name === name);
	if (!input) return [];
	const { options, fallback } = input.schema;
	const values = input.type === 'boolean' ? [true, false] : options;
	const isListed = fallback === undefined || typeof fallback === 'object' || values.includes(fallback);
	return [...values, ...(isListed ? [] : [fallback])].map((value) => ({ label: String(value), detail: value === fallback ? 'default' : '', value }));
}

/** The call at a path, as a module: that of a step, or one of its fallbacks. */
function callAt({ document }: Place, path: Path): Module {
	const value = valueAtPath(document, path);
	return { value: isObject(value) ? { type: 'script', ...value } : {} };
}

/** Values that an expression at a place can refer to. */
export function scopeOf(place: Place, { catalog, lastRun }: WorkflowFacts): ScopeEntry[] {
	return listScope(flowOf(place), formatPointer(modulePath(flowPath(place.path))), catalog, lastRun);
}

/** The path of the innermost module around a place; that of the list of steps for the workflow's own expressions. */
function modulePath(path: Path): Path {
	for (let length = path.length; length > 0; length--) {
		const last = path[length - 1];
		const isModule = typeof last === 'number' ? path[length - 2] === 'modules' || path[length - 2] === 'default' : last === 'failure_module' || last === 'preprocessor_module';
		if (isModule) return path.slice(0, length);
	}
	return ['value', 'modules', 0];
}

/** A node in Markdown: its name, what it does, its inputs and outputs, its price. */
export function describeNode({ name, description, input, output, price }: CatalogNode): string {
	const list = (items: readonly { name: string; type: string; required?: boolean | null }[]) => items.map((item) => `- \`${item.name}\`: ${item.type}${item.required ? ', required' : ''}`).join('\n');
	const cost = formatPrice(price ?? null);
	return [`**${name}**`, description, input.length > 0 && `Inputs:\n\n${list(input)}`, output.length > 0 && `Outputs:\n\n${list(output)}`, cost && `Price: ${cost}`].filter(Boolean).join('\n\n');
}

function explain(place: Place, value: unknown, offset: number | null, facts: WorkflowFacts): string | null {
	const { formats, path } = place;
	if (typeof value !== 'string') return null;
	if (formats.includes('node-path')) {
		const node = facts.catalog.nodes[nodeIdOf({ value: { type: 'script', path: value } }) ?? ''];
		return node ? describeNode(node) : null;
	}
	if (formats.includes('workflow-path')) {
		const id = subflowIdOf({ value: { type: 'flow', path: value } }) ?? '';
		return facts.workflowNames[id] === undefined ? null : `**${facts.workflowNames[id]}**`;
	}
	if (formats.includes('expression') && offset !== null) return explainExpression(value, offset, scopeOf({ ...place, path }, facts));
	return null;
}

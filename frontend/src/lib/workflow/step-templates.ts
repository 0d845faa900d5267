import type { Node } from '#lib/api/types.ts';
import type { Catalog } from '#lib/core.ts';
import { isMediaType } from '#lib/media/media.ts';
import { isObject, type Module } from './modules.ts';
import { isCompatible } from './scope-search.ts';
import type { ScopeEntry } from './scope.ts';
import { makeStepId } from './step-edits.ts';

/** Something that can be inserted into a workflow. */
export interface StepTemplate {
	/** Unique id, to remember recently used ones. */
	key: string;
	/** Name in the picker. */
	name: string;
	/** What it does. */
	description: string;
	/** Heading in the picker. */
	group: string;
	/** Kind of module, for the icon. */
	kind: string;
	/** Further words that find it. */
	keywords: string[];
	/** Creates the module. Its id is made unique when it is inserted. */
	create: () => Module;
}

const NOTHING: ReadonlySet<string> = new Set();

const script = (id: string, value: Record<string, unknown>, summary: string, more: Record<string, unknown> = {}) => (): Module => ({ id, summary, value, ...more });

/** Steps that control the flow. */
export const CONTROL_STEPS: readonly StepTemplate[] = [
	{
		key: 'control/forloop',
		name: 'For each',
		description: 'Runs steps once for every item of a list',
		group: 'Flow control',
		kind: 'forloopflow',
		keywords: ['loop', 'iterate', 'list', 'batch', 'bulk'],
		create: script(
			'for_each',
			{ type: 'forloopflow', iterator: { type: 'javascript', expr: '[]' }, skip_failures: false, parallel: false, modules: [] },
			'For each item'
		)
	},
	{
		key: 'control/whileloop',
		name: 'Repeat while',
		description: 'Runs steps again until a condition stops it',
		group: 'Flow control',
		kind: 'whileloopflow',
		keywords: ['loop', 'until'],
		create: script(
			'repeat',
			{ type: 'whileloopflow', skip_failures: false, modules: [] },
			'Repeat',
			{ stop_after_if: { expr: 'flow_input.iter.index >= 4', skip_if_stopped: false } }
		)
	},
	{
		key: 'control/branchone',
		name: 'Choice',
		description: 'Takes the first branch whose condition holds',
		group: 'Flow control',
		kind: 'branchone',
		keywords: ['if', 'else', 'condition', 'branch', 'switch'],
		create: script('choice', { type: 'branchone', branches: [{ summary: 'Condition', expr: 'true', modules: [] }], default: [] }, 'Choice')
	},
	{
		key: 'control/branchall',
		name: 'All branches',
		description: 'Runs several branches, also at the same time',
		group: 'Flow control',
		kind: 'branchall',
		keywords: ['parallel', 'branch', 'fan out'],
		create: script(
			'branches',
			{ type: 'branchall', parallel: true, branches: [{ summary: 'Branch 1', modules: [] }, { summary: 'Branch 2', modules: [] }] },
			'All branches'
		)
	},
	{
		key: 'control/race',
		name: 'Race',
		description: 'Uses the branch that succeeds first and cancels the others',
		group: 'Flow control',
		kind: 'race',
		keywords: ['fastest', 'parallel', 'branch'],
		create: script(
			'race',
			{ type: 'branchall', race: true, parallel: true, branches: [{ summary: 'Branch 1', modules: [] }, { summary: 'Branch 2', modules: [] }] },
			'Race'
		)
	},
	{
		key: 'control/approval',
		name: 'Approval',
		description: 'Waits until somebody approves',
		group: 'Flow control',
		kind: 'approval',
		keywords: ['human', 'gate', 'wait', 'suspend', 'review'],
		create: script('approval', { type: 'identity' }, 'Approval', { suspend: { required_events: 1, timeout: 86_400 } })
	},
	{
		key: 'control/code',
		name: 'Code',
		description: 'Runs a JavaScript or TypeScript function',
		group: 'Flow control',
		kind: 'rawscript',
		keywords: ['javascript', 'typescript', 'script', 'inline', 'transform'],
		create: script(
			'code',
			{ type: 'rawscript', language: 'javascript', content: 'export async function main(value) {\n  return value;\n}\n', input_transforms: { value: { type: 'static', value: null } } },
			'Code'
		)
	},
	{
		key: 'control/identity',
		name: 'Pass on',
		description: 'Passes the previous result on unchanged',
		group: 'Flow control',
		kind: 'identity',
		keywords: ['identity', 'nothing', 'sleep', 'wait'],
		create: script('pass_on', { type: 'identity' }, 'Pass on')
	}
];

/** A step that calls a node. */
export function templateOfNode(node: Pick<Node, 'id' | 'name' | 'description' | 'connector_id' | 'input' | 'output'>, connectorName: string): StepTemplate {
	return {
		key: `node/${node.id}`,
		name: node.name,
		description: node.description || `${node.input.map(({ type }) => type).join(', ')} → ${node.output.map(({ type }) => type).join(', ')}`,
		group: connectorName,
		kind: 'script',
		keywords: [node.id, node.connector_id, ...node.output.map(({ type }) => type)],
		create: () => ({ id: makeStepId(node.id, NOTHING), summary: node.name, value: { type: 'script', path: `node/${node.id}`, input_transforms: {} } })
	};
}

/** A step that runs another workflow. */
export function templateOfWorkflow(id: string, name: string): StepTemplate {
	return {
		key: `workflow/${id}`,
		name,
		description: 'Runs this workflow as a step',
		group: 'Workflows',
		kind: 'flow',
		keywords: [id, 'sub-flow'],
		create: () => ({ id: makeStepId(id, NOTHING), summary: name, value: { type: 'flow', path: `workflow/${id}`, input_transforms: {} } })
	};
}

/** Everything that can be inserted: nodes by connector, flow control, then workflows other than the edited one. */
export function listTemplates(catalog: Catalog, workflowNames: Readonly<Record<string, string>>, self: string | null): StepTemplate[] {
	const nodes = Object.values(catalog.nodes).map((node) => templateOfNode(node, catalog.connectors[node.connector_id]?.name ?? node.connector_id));
	nodes.sort((one, other) => one.group.localeCompare(other.group) || one.name.localeCompare(other.name));
	const flows = Object.keys(catalog.workflows).filter((id) => id !== self);
	return [...nodes, ...CONTROL_STEPS, ...flows.map((id) => templateOfWorkflow(id, workflowNames[id] ?? id))];
}

/**
 * Connects the media inputs and other required inputs of a new step to what fits best: the nearest earlier output of the
 * same type, else a workflow input of that name. `scope` is sorted by nearness. Inputs that have no match stay empty.
 */
export function connectInputs(module: Module, inputs: readonly { name: string; type: string; required: boolean }[], scope: readonly ScopeEntry[]): Module {
	if (!isObject(module.value?.input_transforms)) return module;
	const transforms: Record<string, unknown> = { ...module.value.input_transforms };
	for (const input of inputs) {
		if (!input.required && !isMediaType(input.type)) continue;
		const found = isMediaType(input.type) || /image|video|audio|picture|photo/.test(input.name) ? findMediaOutput(input, scope) : undefined;
		const named = found ?? findInput(input, scope);
		if (named) transforms[input.name] = { type: 'javascript', expr: named.expression };
	}
	return { ...module, value: { ...module.value, input_transforms: transforms } };
}

function findMediaOutput(input: { name: string; type: string }, scope: readonly ScopeEntry[]): ScopeEntry | undefined {
	const outputs = scope.filter(({ expression }) => expression.startsWith('results')).flatMap(({ children }) => children.flatMap((output) => [output, ...(output.type === 'array' ? output.children : [])]));
	const wanted = isMediaType(input.type) ? input.type : (/image|video|audio/.exec(input.name)?.[0] ?? 'image');
	return outputs.find(({ type }) => type === wanted) ?? outputs.find(({ label, type }) => label.includes(wanted) && isCompatible(type, input.type));
}

function findInput({ name, type }: { name: string; type: string }, scope: readonly ScopeEntry[]): ScopeEntry | undefined {
	const inputs = scope.find(({ expression }) => expression === 'flow_input')?.children ?? [];
	return inputs.find((found) => found.label === name && isCompatible(found.type, type));
}

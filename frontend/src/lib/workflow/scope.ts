import type { Node } from '#lib/api/types.ts';
import type { Catalog } from '#lib/core.ts';
import { isWithin, valueAt } from '#lib/pointer.ts';
import { ANY_VALUE, kindOfValue, readSchema, type ValueSchema } from '#lib/values/value-schema.ts';
import { enclosingLoop, isObject, moduleAt, nodeIdOf, splitPlace, visibleModules, type Module, type PlacedModule } from './modules.ts';
import { formatPath } from './references.ts';
import { findEntry } from './scope-search.ts';

/** A value that an expression can refer to, with the values inside it. */
export interface ScopeEntry {
	/** Name shown in the tree: `results`' step id, a key, an index. */
	label: string;
	/** The expression that yields it. */
	expression: string;
	/** Its declared type, or the type of its last value; empty if unknown. */
	type: string;
	/** Explanation, such as the description of an output. */
	description: string;
	/** Its value in the last run; `undefined` if unknown. */
	sample: unknown;
	children: ScopeEntry[];
}

/** What is known about the last run. */
export interface LastRun {
	input: Record<string, unknown>;
	/** Results by step id. Results inside loops are those of the last iteration. */
	results: ReadonlyMap<string, unknown>;
}

/** Most elements of an array and keys of an object that are shown. */
const MAX_CHILDREN = 30;
/** How deep values are shown. */
const MAX_DEPTH = 5;

/** Where an expression is used, which decides what it can read. Source: OpenFlow, names in scope. */
export type ScopeSite = 'input' | 'stop' | 'retry' | 'sleep';

/** Everything that an expression at a place in an OpenFlow document can refer to. */
export function listScope(document: unknown, pointer: string, catalog: Catalog, lastRun: LastRun | null, site: ScopeSite = 'input'): ScopeEntry[] {
	const inputs = flowInput(document, lastRun);
	const own = site === 'input' ? [] : ownResult(document, pointer, catalog, lastRun);
	if (site === 'retry') return [...own, FAILURE, inputs];
	if (site === 'sleep') return [...own, inputs];
	const isHandler = isWithin(pointer, '/value/failure_module');
	const loop = enclosingLoop(document, pointer);
	const visible = visibleModules(document, pointer).reverse();
	return [
		...own,
		...(isHandler ? [FAILURE] : []),
		...(loop ? [loopItem(loop, document, catalog, lastRun)] : []),
		...(site === 'input' ? approvalEntries(document, pointer) : []),
		...visible.flatMap((placed) => stepEntry(placed, catalog, lastRun)),
		inputs
	];
}

/** The failure that the failure handler and a condition to retry can read. */
const FAILURE: ScopeEntry = {
	...bare('error', 'error', 'object', 'The failure'),
	children: [bare('name', 'error.name', 'string', 'Kind of failure: rate_limited, timeout, …'), bare('message', 'error.message', 'string', 'What went wrong'), bare('step_id', 'error.step_id', 'string', 'The step that failed')]
};

function bare(label: string, expression: string, type: string, description: string): ScopeEntry {
	return { label, expression, type, description, sample: undefined, children: [] };
}

/** The result of the step itself, for conditions that are checked after it ran. */
function ownResult(document: unknown, pointer: string, catalog: Catalog, lastRun: LastRun | null): ScopeEntry[] {
	const placed = moduleAt(document, pointer);
	if (!placed) return [];
	const [found] = stepEntry(placed, catalog, lastRun, 'result');
	return [found ? { ...found, label: 'result', description: 'Result of this step' } : bare('result', 'result', '', 'Result of this step')];
}

/** What the step behind an approval can read of it. */
function approvalEntries(document: unknown, pointer: string): ScopeEntry[] {
	const place = splitPlace(pointer);
	const before = place && place.index > 0 ? moduleAt(document, `${place.list}/${place.index - 1}`)?.module : undefined;
	const suspend = before?.suspend;
	if (!isObject(suspend) || !(Number(suspend.required_events) > 0)) return [];
	const form = isObject(suspend.resume_form) ? readSchema({ ...(isObject(suspend.resume_form.schema) ? suspend.resume_form.schema : {}), type: 'object' }) : ANY_VALUE;
	return [
		declaredEntry('resume', 'resume', { ...form, kind: 'object', description: `Answer to the approval of ${before?.id ?? 'the step before'}` }, undefined),
		bare('resumes', 'resumes', 'array', 'All answers, if several approvals are needed'),
		bare('approvers', 'approvers', 'array', 'Users who answered')
	];
}

function flowInput(document: unknown, lastRun: LastRun | null): ScopeEntry {
	const schema = readSchema({ ...(isObject(valueAt(document, '/schema')) ? (valueAt(document, '/schema') as object) : {}), type: 'object' });
	const found = declaredEntry('Workflow inputs', 'flow_input', { ...schema, description: '' }, lastRun?.input);
	const declared = new Set(schema.properties.map(([name]) => name));
	const others = Object.keys(lastRun?.input ?? {}).filter((name) => !declared.has(name));
	return { ...found, children: [...found.children, ...others.map((name) => entry(name, formatPath('flow_input', [name]), lastRun?.input[name], { type: '', description: '' }))] };
}

/** A value that a schema declares, with what is inside it. */
function declaredEntry(label: string, expression: string, schema: ValueSchema, sample: unknown, depth = 0): ScopeEntry {
	const found = entry(label, expression, sample, { type: schema.kind, description: schema.description }, depth);
	if (depth >= MAX_DEPTH) return found;
	if (schema.properties.length > 0) {
		const given = isObject(sample) ? sample : {};
		return { ...found, children: schema.properties.map(([name, inner]) => declaredEntry(name, formatPath(expression, [name]), inner, given[name], depth + 1)) };
	}
	if (schema.items && schema.items.kind !== '') {
		const first = declaredEntry('first', formatPath(expression, [0]), schema.items, Array.isArray(sample) ? sample[0] : undefined, depth + 1);
		return { ...found, children: [{ ...first, description: first.description || 'The first of them' }, ...found.children.slice(1)] };
	}
	return found;
}

/** The item of a loop, with the type and the last value of what its list contains. */
function loopItem({ pointer, module }: PlacedModule, document: unknown, catalog: Catalog, lastRun: LastRun | null): ScopeEntry {
	const iterator = isObject(module.value?.iterator) ? module.value.iterator : {};
	const list = typeof iterator.expr === 'string' ? findEntry(iterator.expr, listScope(document, pointer, catalog, lastRun)) : undefined;
	const samples = iterator.type === 'static' ? iterator.value : list?.sample;
	const item = entry(`Item of ${module.id ?? 'the loop'}`, 'flow_input.iter.value', Array.isArray(samples) ? samples[0] : undefined, {
		type: list?.children.find(({ expression }) => expression.endsWith('[0]'))?.type ?? '',
		description: 'The current item of the loop'
	});
	return { ...item, children: [...item.children, bare('index', 'flow_input.iter.index', 'integer', 'Number of the item, from 0')] };
}

function stepEntry({ module }: PlacedModule, catalog: Catalog, lastRun: LastRun | null, root?: string): ScopeEntry[] {
	if (!module.id) return [];
	const expression = root ?? formatPath('results', [module.id]);
	const sample = lastRun?.results.get(module.id);
	const outputs = declaredOutputs(module, catalog);
	const own = outputs.map((output) => outputEntry(output, expression, isObject(sample) ? sample[output.name] : undefined));
	const isList = String(module.value?.type).endsWith('loopflow') || module.value?.type === 'branchall';
	const found = entry(module.id, expression, sample, { type: isList ? 'array' : '', description: module.summary ?? '' });
	return [own.length > 0 ? { ...found, type: 'object', children: own } : found];
}

/** An output of a node. One that has all of several values is a list, whose first element is offered by itself. */
function outputEntry({ name, type, description, pick }: Node['output'][number], step: string, sample: unknown): ScopeEntry {
	const expression = formatPath(step, [name]);
	const about = { type, description: description ?? '' };
	if (pick !== 'all') return entry(name, expression, sample, about);
	const list = entry(name, expression, sample, { ...about, type: 'array' });
	const first = { ...entry('first', formatPath(expression, [0]), Array.isArray(sample) ? sample[0] : undefined, about), description: 'The first of them' };
	return { ...list, children: [first, ...list.children.slice(1)] };
}

/** Outputs that a step's node declares; empty if it has none or the step calls no node. */
export function declaredOutputs(module: Module, catalog: Catalog): Node['output'] {
	const id = nodeIdOf(module);
	return id === null ? [] : (catalog.nodes[id]?.output ?? []);
}

function entry(label: string, expression: string, sample: unknown, about: { type: string; description: string }, depth = 1): ScopeEntry {
	return { label, expression, sample, type: about.type || kindOfValue(sample), description: about.description, children: depth < MAX_DEPTH ? inner(expression, sample, depth) : [] };
}

function inner(expression: string, sample: unknown, depth: number): ScopeEntry[] {
	const nothing = { type: '', description: '' };
	if (Array.isArray(sample)) {
		return sample.slice(0, MAX_CHILDREN).map((value, index) => entry(String(index), formatPath(expression, [index]), value, nothing, depth + 1));
	}
	if (!isObject(sample)) return [];
	return Object.entries(sample)
		.slice(0, MAX_CHILDREN)
		.map(([key, value]) => entry(key, formatPath(expression, [key]), value, nothing, depth + 1));
}

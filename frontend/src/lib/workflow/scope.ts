import type { Node } from '#lib/api/types.ts';
import type { Catalog } from '#lib/core.ts';
import { isMediaType } from '#lib/media.ts';
import { valueAt } from '#lib/pointer.ts';
import { enclosingLoop, isObject, nodeIdOf, subflowIdOf, visibleModules, type Module, type PlacedModule } from './modules.ts';
import { formatPath } from './references.ts';
import { typeOfProperty } from './schema-builder.ts';

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

/** Everything that an expression at a place in an OpenFlow document can refer to. */
export function listScope(document: unknown, pointer: string, catalog: Catalog, lastRun: LastRun | null): ScopeEntry[] {
	const loop = enclosingLoop(document, pointer);
	return [
		...(loop ? [loopItem(loop)] : []),
		...visibleModules(document, pointer)
			.reverse()
			.flatMap((placed) => stepEntry(placed, catalog, lastRun)),
		flowInput(document, lastRun)
	];
}

function flowInput(document: unknown, lastRun: LastRun | null): ScopeEntry {
	const properties = valueAt(document, '/schema/properties');
	const declared = isObject(properties) ? properties : {};
	const sample = lastRun?.input;
	const names = [...new Set([...Object.keys(declared), ...Object.keys(sample ?? {})])];
	const children = names.map((name) => {
		const schema = isObject(declared[name]) ? declared[name] : {};
		return entry(name, formatPath('flow_input', [name]), sample?.[name], {
			type: typeOfProperty(schema),
			description: typeof schema.description === 'string' ? schema.description : ''
		});
	});
	return { label: 'Workflow inputs', expression: 'flow_input', type: 'object', description: '', sample, children };
}

function loopItem({ module }: PlacedModule): ScopeEntry {
	return {
		label: `Item of ${module.id ?? 'the loop'}`,
		expression: 'flow_input.iter.value',
		type: '',
		description: 'The current item of the loop',
		sample: undefined,
		children: [entry('index', 'flow_input.iter.index', undefined, { type: 'integer', description: 'Number of the item, from 0' })]
	};
}

function stepEntry({ module }: PlacedModule, catalog: Catalog, lastRun: LastRun | null): ScopeEntry[] {
	if (!module.id) return [];
	const expression = formatPath('results', [module.id]);
	const sample = lastRun?.results.get(module.id);
	const outputs = declaredOutputs(module, catalog);
	const own = outputs.map((output) => outputEntry(output, expression, isObject(sample) ? sample[output.name] : undefined));
	const found = entry(module.id, expression, sample, { type: '', description: module.summary ?? '' });
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
	return { label, expression, sample, type: about.type || typeOf(sample), description: about.description, children: depth < MAX_DEPTH ? inner(expression, sample, depth) : [] };
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

/** Type of a value in the words of a node's declaration; empty if it is unknown. */
export function typeOf(value: unknown): string {
	if (value === undefined || value === null) return '';
	if (Array.isArray(value)) return 'array';
	if (isObject(value)) return typeof value.artifact === 'string' && typeof value.mime === 'string' ? (value.mime.split('/')[0] ?? 'file') : 'object';
	return typeof value;
}

/** Whether a value of one type can be used where another is expected. Unknown types fit everywhere. */
export function isCompatible(found: string, expected: string): boolean {
	if (found === '' || expected === '' || found === expected) return true;
	if (expected === 'number') return found === 'integer';
	if (expected === 'string') return isMediaType(found);
	if (isMediaType(expected)) return found === 'string' || found === 'file' || (expected === 'file' && isMediaType(found));
	return false;
}

/** Entries that match a search, with those above and inside them. */
export function filterScope(entries: readonly ScopeEntry[], search: string): ScopeEntry[] {
	const wanted = search.trim().toLowerCase();
	if (wanted === '') return [...entries];
	return entries.flatMap((found) => {
		if (found.label.toLowerCase().includes(wanted) || found.expression.toLowerCase().includes(wanted)) return [found];
		const children = filterScope(found.children, wanted);
		return children.length > 0 ? [{ ...found, children }] : [];
	});
}

/** Value of an expression in the last run, if the expression is a plain path; `undefined` if it is unknown. */
export function readPlainPath(expression: string, scope: readonly ScopeEntry[]): unknown {
	const wanted = expression.trim().replaceAll('?.', '.');
	const search = (entries: readonly ScopeEntry[]): unknown => {
		for (const found of entries) {
			if (found.expression === wanted) return found.sample;
			if (isPrefix(found.expression, wanted)) {
				const value = search(found.children);
				if (value !== undefined) return value;
			}
		}
		return undefined;
	};
	return search(scope);
}

function isPrefix(expression: string, wanted: string): boolean {
	return wanted.startsWith(expression) && /^[.[]/.test(wanted.slice(expression.length));
}

/** An input of a step: of its node, or of its sub-flow. */
export interface InputSpec {
	name: string;
	type: string;
	required: boolean;
	description: string;
	enum: unknown[];
	minimum: number | null;
	maximum: number | null;
	/** Value that applies if nothing is given; `undefined` if there is none. */
	fallback: unknown;
	/** Whether the document gives it although nothing declares it. */
	undeclared: boolean;
}

/** Inputs of a step: those that are declared, then others that the document gives. */
export function listInputs(module: Module, catalog: Catalog): InputSpec[] {
	const declared = declaredInputs(module, catalog);
	const transforms = module.value?.input_transforms;
	const others = isObject(transforms) ? Object.keys(transforms).filter((name) => !declared.some((input) => input.name === name)) : [];
	return [...declared, ...others.map((name) => ({ ...BARE_INPUT, name, undeclared: declared.length > 0 }))];
}

const BARE_INPUT: Omit<InputSpec, 'name'> = {
	type: '',
	required: false,
	description: '',
	enum: [],
	minimum: null,
	maximum: null,
	fallback: undefined,
	undeclared: false
};

function declaredInputs(module: Module, catalog: Catalog): InputSpec[] {
	const node = catalog.nodes[nodeIdOf(module) ?? ''];
	if (node) {
		return node.input.map((input) => ({
			...BARE_INPUT,
			name: input.name,
			type: input.type,
			required: (input.required ?? false) && input.value === undefined && input.default === undefined,
			description: input.description ?? '',
			enum: input.enum ?? [],
			minimum: input.minimum ?? null,
			maximum: input.maximum ?? null,
			fallback: input.value === undefined ? input.default : input.value
		}));
	}
	const flow = catalog.workflows[subflowIdOf(module) ?? ''];
	return flow === undefined ? [] : inputsOfSchema(valueAt(flow, '/schema'));
}

/** Inputs of a workflow, from its JSON Schema. */
export function inputsOfSchema(schema: unknown): InputSpec[] {
	const properties = isObject(schema) && isObject(schema.properties) ? schema.properties : {};
	const required = isObject(schema) && Array.isArray(schema.required) ? schema.required : [];
	return Object.entries(properties).map(([name, property]) => {
		const fields = isObject(property) ? property : {};
		const number = (value: unknown) => (typeof value === 'number' ? value : null);
		return {
			...BARE_INPUT,
			name,
			type: typeOfProperty(fields),
			required: required.includes(name) && fields.default === undefined,
			description: typeof fields.description === 'string' ? fields.description : '',
			enum: Array.isArray(fields.enum) ? fields.enum : [],
			minimum: number(fields.minimum),
			maximum: number(fields.maximum),
			fallback: fields.default
		};
	});
}

import { valueAt } from '#lib/pointer.ts';
import { allModules, childLists, isObject, moduleAt, modulesOf, modulesWithin, splitPlace, type Module, type PlacedModule } from './modules.ts';
import { isSameJson } from './same-json.ts';

/** What happened to a step between two versions. */
export type StepChange = 'added' | 'removed' | 'changed' | 'moved';

/** A step that differs between two versions. */
export interface StepDiff {
	id: string;
	/** Its summary, else its id. */
	label: string;
	change: StepChange;
	/** Names of what changed in the step, such as `inputs` or `retry`. */
	parts: string[];
}

/** The differences between two versions of a workflow's editable fields. */
export interface WorkflowDiff {
	steps: StepDiff[];
	/** Names of what changed outside of steps, such as `name` or `inputs`. */
	fields: string[];
}

/** Compares two versions of a workflow: objects with `name`, `description`, `nodes` and so on. */
export function diffWorkflows(before: unknown, after: unknown): WorkflowDiff {
	return { steps: diffSteps(nodesOf(before), nodesOf(after)), fields: diffFields(before, after) };
}

/** One line about the differences: `1 step added, 2 changed; inputs changed`. */
export function describeDiff({ steps, fields }: WorkflowDiff): string {
	const counts = (['added', 'removed', 'changed', 'moved'] as const).flatMap((change) => {
		const count = steps.filter((step) => step.change === change).length;
		return count > 0 ? [{ change, count }] : [];
	});
	const parts = counts.map(({ change, count }, index) => (index === 0 ? `${count} ${count === 1 ? 'step' : 'steps'} ${change}` : `${count} ${change}`));
	const changed = fields.length > 0 ? [`${fields.join(', ')} changed`] : [];
	return [parts.join(', '), ...changed].filter((part) => part !== '').join('; ') || 'no differences';
}

const nodesOf = (workflow: unknown) => (isObject(workflow) ? workflow.nodes : undefined);

/** Compares the steps of two OpenFlow documents by their ids. */
export function diffSteps(before: unknown, after: unknown): StepDiff[] {
	const [old, current] = [stepsById(before), stepsById(after)];
	const moved = movedSteps(before, after);
	const kept = [...current].flatMap(([id, placed]): StepDiff[] => {
		const earlier = old.get(id);
		if (!earlier) return [{ id, label: labelOf(id, placed.module), change: 'added', parts: [] }];
		const parts = changedParts(earlier.module, placed.module);
		const change = parts.length > 0 ? 'changed' : moved.has(id) ? 'moved' : null;
		return change ? [{ id, label: labelOf(id, placed.module), change, parts }] : [];
	});
	const removed = [...old].filter(([id]) => !current.has(id)).map(([id, { module }]): StepDiff => ({ id, label: labelOf(id, module), change: 'removed', parts: [] }));
	return [...kept, ...removed];
}

/**
 * The later document with the removed steps at the places that they had, so that one graph can show all differences.
 * A step that was moved stands in its new place.
 */
export function withRemovedSteps(before: unknown, after: unknown): unknown {
	const document = structuredClone(after);
	const shown = new Set(stepsById(document).keys());
	const isShown = ({ id }: Module) => id !== undefined && shown.has(id);
	for (const [list, modules] of listsOf(before)) {
		const target = sameList(before, document, list);
		modules.forEach(({ module }, index) => {
			if (!target || isShown(module)) return;
			const previous = modules.slice(0, index).findLast((placed) => target.some(({ id }) => id === placed.module.id));
			const at = previous ? target.findIndex(({ id }) => id === previous.module.id) + 1 : 0;
			const removed = withoutSteps(module, isShown);
			target.splice(at, 0, removed);
			for (const inner of modulesWithin(removed, { pointer: '', module: removed })) if (inner.module.id) shown.add(inner.module.id);
		});
	}
	return document;
}

/** Steps by id. Those without an id, or with one that is used twice, are left out. */
function stepsById(document: unknown): Map<string, PlacedModule> {
	const found = new Map<string, PlacedModule>();
	for (const placed of allModules(document)) {
		const { id } = placed.module;
		if (typeof id === 'string' && id !== '' && !found.has(id)) found.set(id, placed);
	}
	return found;
}

const labelOf = (id: string, { summary }: Module) => (typeof summary === 'string' && summary.trim() !== '' ? summary : id);

/** Names of what differs in two versions of a step, without the steps inside it. */
function changedParts(before: Module, after: Module): string[] {
	const [one, other] = [ownContent(before), ownContent(after)];
	const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
	return [...keys].filter((key) => !isSameJson(one[key], other[key])).map((key) => PART_NAMES[key] ?? key.replaceAll('_', ' '));
}

const PART_NAMES: Record<string, string> = { input_transforms: 'inputs', path: 'node', content: 'code', value: 'type' };

/** The fields of a module and of its value in one object, without the steps inside it. */
function ownContent({ value, ...fields }: Module): Record<string, unknown> {
	if (!isObject(value)) return { ...fields, value };
	const { modules: _modules, default: _default, branches, ...settings } = value;
	const conditions = Array.isArray(branches) ? branches.map((branch) => (isObject(branch) ? { ...branch, modules: undefined } : branch)) : undefined;
	return { ...fields, ...settings, ...(conditions ? { branches: conditions } : {}) };
}

/** All lists of steps, by pointer. */
function listsOf(document: unknown): [list: string, modules: PlacedModule[]][] {
	const lists = ['/value/modules', ...allModules(document).flatMap(childLists)];
	return lists.map((list) => [list, modulesOf(document, list).filter(({ pointer }) => splitPlace(pointer)?.list === list)]);
}

/** The list of the other document that belongs to the same step and branch. */
function sameList(before: unknown, document: unknown, list: string): Module[] | null {
	if (list === '/value/modules') return arrayAt(document, list);
	const owner = allModules(before).filter(({ pointer }) => list.startsWith(`${pointer}/`)).sort((one, other) => other.pointer.length - one.pointer.length)[0];
	const same = owner && allModules(document).find(({ module }) => module.id === owner.module.id);
	return same ? arrayAt(document, same.pointer + list.slice(owner.pointer.length)) : null;
}

function arrayAt(document: unknown, list: string): Module[] | null {
	const found = valueAt(document, list);
	return Array.isArray(found) ? (found as Module[]) : null;
}

/** A copy of a step without the steps inside it for which `leaveOut` is true. */
function withoutSteps(module: Module, leaveOut: (inner: Module) => boolean): Module {
	const copy = structuredClone(module);
	for (const list of childLists({ pointer: '', module: copy })) {
		const modules = arrayAt(copy, list);
		if (modules) modules.splice(0, modules.length, ...modules.filter((inner) => !leaveOut(inner)).map((inner) => withoutSteps(inner, leaveOut)));
	}
	return copy;
}

/** Ids of the steps that are in another list, or not in the longest common order of their list. */
function movedSteps(before: unknown, after: unknown): Set<string> {
	const owners = (document: unknown) => {
		const found = new Map<string, string>();
		for (const [id, { pointer }] of stepsById(document)) {
			const list = splitPlace(pointer)?.list ?? pointer;
			const owner = moduleOwning(document, list);
			found.set(id, owner ? `${owner.module.id}${list.slice(owner.pointer.length)}` : list);
		}
		return found;
	};
	const [old, current] = [owners(before), owners(after)];
	const moved = new Set<string>();
	const places = new Set(current.values());
	for (const [id, place] of current) if (old.has(id) && old.get(id) !== place) moved.add(id);
	for (const place of places) {
		const stays = (owner: Map<string, string>) => [...owner].filter(([id, own]) => own === place && old.get(id) === place && current.get(id) === place).map(([id]) => id);
		const [earlier, later] = [stays(old), stays(current)];
		const inOrder = longestRising(later.map((id) => earlier.indexOf(id)));
		later.forEach((id, index) => {
			if (!inOrder.has(index)) moved.add(id);
		});
	}
	return moved;
}

function moduleOwning(document: unknown, list: string): PlacedModule | undefined {
	const place = splitPlace(list.replace(/\/value\/(modules|default|branches\/\d+\/modules)$/, ''));
	return place ? moduleAt(document, `${place.list}/${place.index}`) : undefined;
}

/** Indices of a longest rising subsequence. */
function longestRising(values: readonly number[]): Set<number> {
	const chains: number[][] = [];
	for (const [index, value] of values.entries()) {
		const earlier = chains.filter((_, other) => values[other]! < value);
		const longest = earlier.reduce<number[]>((found, chain) => (chain.length > found.length ? chain : found), []);
		chains.push([...longest, index]);
	}
	return new Set(chains.reduce<number[]>((found, chain) => (chain.length > found.length ? chain : found), []));
}

/** Names of what differs outside of the steps. */
function diffFields(before: unknown, after: unknown): string[] {
	const [old, current] = [isObject(before) ? before : {}, isObject(after) ? after : {}];
	const ignored = new Set(['nodes', 'id', 'created_at', 'updated_at', 'diagnostics']);
	const fields = differingKeys(old, current).filter((key) => !ignored.has(key));
	const [oldNodes, nodes] = [isObject(old.nodes) ? old.nodes : {}, isObject(current.nodes) ? current.nodes : {}];
	const outside = differingKeys(oldNodes, nodes).filter((key) => key !== 'value').map((key) => (key === 'schema' ? 'inputs' : key.replaceAll('_', ' ')));
	const settings = (document: Record<string, unknown>) => {
		const { modules: _modules, failure_module: _failure, preprocessor_module: _preprocessor, ...rest } = isObject(document.value) ? document.value : {};
		return rest;
	};
	const hasSettings = !isSameJson(settings(oldNodes), settings(nodes));
	return [...new Set([...fields, ...outside, ...(hasSettings ? ['settings'] : [])])];
}

function differingKeys(one: Record<string, unknown>, other: Record<string, unknown>): string[] {
	return [...new Set([...Object.keys(one), ...Object.keys(other)])].filter((key) => !isSameJson(one[key], other[key]));
}

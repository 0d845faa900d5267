import { formatPointer, isWithin, parsePointer, valueAt } from '#lib/pointer.ts';

/** A module of an OpenFlow document: a step, a loop or a branch. */
export interface Module {
	id?: string;
	summary?: string;
	value?: ModuleValue;
	[field: string]: unknown;
}

/** What a module does. The fields depend on the type. */
export interface ModuleValue {
	type?: string;
	[field: string]: unknown;
}

/** A module with its place in the document. */
export interface PlacedModule {
	/** JSON Pointer in the OpenFlow document. */
	pointer: string;
	module: Module;
}

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The lists of modules directly inside a module, as JSON Pointers, whether they exist or not. */
export function childLists({ pointer, module }: PlacedModule): string[] {
	const value = module.value;
	if (!isObject(value)) return [];
	switch (value.type) {
		case 'forloopflow':
		case 'whileloopflow':
			return [`${pointer}/value/modules`];
		case 'branchone':
			return [...branchLists(pointer, value), `${pointer}/value/default`];
		case 'branchall':
			return branchLists(pointer, value);
		default:
			return [];
	}
}

function branchLists(pointer: string, { branches }: ModuleValue): string[] {
	return Array.isArray(branches) ? branches.map((_, index) => `${pointer}/value/branches/${index}/modules`) : [];
}

/** Modules of a list and of the lists inside them, in document order. */
export function modulesOf(document: unknown, list: string): PlacedModule[] {
	const modules = valueAt(document, list);
	if (!Array.isArray(modules)) return [];
	return modules.flatMap((module, index) => (isObject(module) ? modulesWithin(document, { pointer: `${list}/${index}`, module }) : []));
}

/** A module and the modules inside it, in document order. */
export function modulesWithin(document: unknown, placed: PlacedModule): PlacedModule[] {
	return [placed, ...childLists(placed).flatMap((list) => modulesOf(document, list))];
}

/** All modules of a document, with its preprocessor and failure handler. */
export function allModules(document: unknown): PlacedModule[] {
	const single = ['/value/preprocessor_module', '/value/failure_module'].flatMap((pointer) => {
		const module = valueAt(document, pointer);
		return isObject(module) ? modulesWithin(document, { pointer, module }) : [];
	});
	return [...modulesOf(document, '/value/modules'), ...single];
}

/** Ids of all modules. */
export function moduleIds(document: unknown): Set<string> {
	return new Set(allModules(document).flatMap(({ module }) => (typeof module.id === 'string' ? [module.id] : [])));
}

/** The module at a pointer. */
export function moduleAt(document: unknown, pointer: string): PlacedModule | undefined {
	const module = valueAt(document, pointer);
	return isObject(module) ? { pointer, module } : undefined;
}

/** The pointer of the list that contains a module, and the module's index; null if it is in no list (the failure handler). */
export function splitPlace(pointer: string): { list: string; index: number } | null {
	const tokens = parsePointer(pointer);
	const last = tokens.pop() ?? '';
	return /^\d+$/.test(last) ? { list: formatPointer(tokens), index: Number(last) } : null;
}

/** The modules that contain a place, innermost first. */
export function enclosingModules(document: unknown, pointer: string): PlacedModule[] {
	const around = allModules(document).filter((placed) => placed.pointer !== pointer && isWithin(pointer, placed.pointer));
	return around.sort((one, other) => other.pointer.length - one.pointer.length);
}

/** The innermost loop around a place. */
export function enclosingLoop(document: unknown, pointer: string): PlacedModule | undefined {
	return enclosingModules(document, pointer).find(({ module }) => String(module.value?.type).endsWith('loopflow'));
}

/**
 * The modules whose results an expression at a place can use: those before it in its list and in the lists around it,
 * with the contents of earlier branches. Results inside a loop are visible within the same iteration only.
 */
export function visibleModules(document: unknown, pointer: string): PlacedModule[] {
	const inFailureHandler = isWithin(pointer, '/value/failure_module');
	const places = [pointer, ...enclosingModules(document, pointer).map((placed) => placed.pointer)].reverse();
	const earlier = places.flatMap((place) => {
		const split = splitPlace(place);
		if (!split) return [];
		return Array.from({ length: split.index }, (_, index) => `${split.list}/${index}`);
	});
	const all = inFailureHandler ? [...listPointers(document, '/value/modules'), ...earlier] : earlier;
	return all.flatMap((place) => {
		const placed = moduleAt(document, place);
		return placed ? withBranches(document, placed) : [];
	});
}

function listPointers(document: unknown, list: string): string[] {
	const modules = valueAt(document, list);
	return Array.isArray(modules) ? modules.map((_, index) => `${list}/${index}`) : [];
}

/** A module with the modules in its branches, but not those in loops. */
function withBranches(document: unknown, placed: PlacedModule): PlacedModule[] {
	const type = placed.module.value?.type;
	if (type !== 'branchone' && type !== 'branchall') return [placed];
	const inner = childLists(placed).flatMap((list) => listPointers(document, list));
	return [...inner.flatMap((pointer) => {
		const found = moduleAt(document, pointer);
		return found ? withBranches(document, found) : [];
	}), placed];
}

/** Id of the node that a module calls; null if it calls none. */
export function nodeIdOf({ value }: Module): string | null {
	if (value?.type !== 'script' || typeof value.path !== 'string') return null;
	return value.path.split('/').at(-1) ?? null;
}

/** Id of the workflow that a module runs as a sub-flow; null if it runs none. */
export function subflowIdOf({ value }: Module): string | null {
	if (value?.type !== 'flow' || typeof value.path !== 'string') return null;
	return value.path.replace(/^workflow\//, '');
}

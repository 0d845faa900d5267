import { isWithin, valueAt } from '#lib/pointer.ts';
import { shownGroups, type ShownGroup } from '#lib/workflow/groups.ts';
import { allModules, childLists, isObject, modulesWithin, type Module, type PlacedModule } from '#lib/workflow/modules.ts';
import type { Layout, LayoutNode } from './flow.ts';
import { collapseGroups, isGroupCollapsed, restoreLayout } from './group-folding.ts';

/** What a graph shows of a document besides its own steps, by ids of the layout. */
export interface Folding {
	/** Loops and branches whose steps are hidden, and the keys of groups that are not as they are at first. */
	collapsed: ReadonlySet<string>;
	/** OpenFlow documents of sub-flows whose steps are shown, by the steps that run them. Ids of steps in them are `step/inner`. */
	subflows: ReadonlyMap<string, unknown>;
}

/** A document as it is laid out: collapsed modules are single steps, and opened sub-flows are loops around their steps. */
export interface FoldedDocument {
	document: unknown;
	/** Types of the collapsed modules, by id. */
	collapsed: ReadonlyMap<string, string>;
	/** JSON Pointers of the steps with an opened sub-flow, by id. */
	opened: ReadonlyMap<string, string>;
	/** The collapsed modules and the steps with an opened sub-flow as they were, by pointer. */
	modules: ReadonlyMap<string, Module>;
	/** The collapsed groups. */
	groups: readonly ShownGroup[];
}

/** Whether a module contains lists of steps, so that it can be collapsed. */
export function isCollapsible(module: Module | undefined): boolean {
	return module !== undefined && childLists({ pointer: '', module }).length > 0;
}

/** Number of steps inside a module. */
export function countSteps(module: Module): number {
	return modulesWithin({ module }, { pointer: '/module', module }).length - 1;
}

/** Id of a module in the layout: its own if it has one that is not used yet, else its pointer. */
export function layoutId({ pointer, module }: PlacedModule, used: ReadonlySet<string>): string {
	return module.id && !module.id.startsWith('@') && !used.has(module.id) ? module.id : pointer;
}

/** Folds a document; null if this changes nothing. */
export function foldDocument(document: unknown, folding: Folding): FoldedDocument | null {
	const hasCollapsedGroup = shownGroups(document).some((group) => isGroupCollapsed(group, folding.collapsed));
	if (folding.collapsed.size === 0 && folding.subflows.size === 0 && !hasCollapsedGroup) return null;
	const folded = structuredClone(document);
	const used = new Set<string>();
	const [collapsed, opened, modules] = [new Map<string, string>(), new Map<string, string>(), new Map<string, Module>()];
	const foldModule = (placed: PlacedModule): void => {
		const { pointer, module } = placed;
		const id = layoutId(placed, used);
		used.add(id);
		const subflow = folding.subflows.get(id);
		if (folding.collapsed.has(id) && isCollapsible(module)) {
			collapsed.set(id, String(module.value?.type));
			modules.set(pointer, { ...module });
			module.value = { type: 'identity' };
		} else if (subflow !== undefined && module.value?.type === 'flow') {
			opened.set(id, pointer);
			modules.set(pointer, { ...module });
			module.value = { type: 'forloopflow', iterator: { type: 'static', value: [] }, skip_failures: false, modules: copySteps(subflow, id) };
		}
		for (const list of childLists(placed)) foldList(list);
	};
	const foldList = (list: string): void => {
		const found = valueAt(folded, list);
		if (Array.isArray(found)) found.forEach((module, index) => isObject(module) && foldModule({ pointer: `${list}/${index}`, module }));
	};
	const foldSingle = (pointer: string): void => {
		const module = valueAt(folded, pointer);
		if (isObject(module)) foldModule({ pointer, module });
	};
	// The order in which the core gives ids.
	foldSingle('/value/preprocessor_module');
	foldList('/value/modules');
	foldSingle('/value/failure_module');
	const groups = collapseGroups(folded, folding.collapsed);
	return collapsed.size + opened.size + groups.length > 0 ? { document: folded, collapsed, opened, modules, groups } : null;
}

/** The steps of a sub-flow, with ids that begin with that of the step which runs it. */
function copySteps(subflow: unknown, owner: string): unknown {
	const copy = structuredClone(subflow);
	for (const { module } of allModules(copy)) if (module.id) module.id = `${owner}/${module.id}`;
	return valueAt(copy, '/value/modules') ?? [];
}

/** Turns the layout of a folded document into that of the document: with the true kinds, and without the edges back of sub-flows. */
export function unfoldLayout(folded: Layout, { collapsed, opened, groups }: FoldedDocument): Layout {
	const layout = restoreLayout(folded, groups);
	const frames = [...opened.values()];
	const isInside = (pointer: string) => frames.some((frame) => pointer !== frame && isWithin(pointer, frame));
	const nodes = layout.nodes.map((node): LayoutNode => {
		const kind = collapsed.get(node.id);
		if (kind !== undefined) return { ...node, kind, isCollapsed: true };
		if (opened.get(node.id) === node.pointer) return { ...node, kind: 'flow' };
		if (node.kind === 'group' && opened.has(node.id.replace(/@group$/, ''))) return { ...node, kind: 'subflow' };
		if (isInside(node.pointer)) return { ...node, label: node.label.slice(node.label.startsWith(node.id) ? node.id.lastIndexOf('/') + 1 : 0), isReadOnly: true };
		return node;
	});
	const edges = layout.edges
		.filter(({ kind, target }) => kind !== 'loop' || !opened.has(target))
		.map((edge) => (edge.insert_at !== null && isInside(edge.insert_at) ? { ...edge, insert_at: null } : edge));
	return { ...layout, nodes, edges };
}

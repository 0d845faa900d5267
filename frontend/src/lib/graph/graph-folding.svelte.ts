import { SvelteMap } from 'svelte/reactivity';
import type { Core } from '#lib/core.ts';
import { groupAt, isInGroup, groupsAround, isGroupPointer, shownGroups, stepsOfGroup } from '#lib/workflow/groups.ts';
import { allModules, enclosingModules, moduleAt, modulesWithin, subflowIdOf, type Module } from '#lib/workflow/modules.ts';
import { editorUrl } from '#lib/workflow/subflow-trail.ts';
import type { Layout } from './flow.ts';
import { groupKey, isGroupCollapsed } from './group-folding.ts';
import { foldDocument, isCollapsible, layoutId, unfoldLayout, type FoldedDocument } from './folding.ts';

/** Where a graph gets its document from. All are called reactively. */
export interface FoldingSource {
	/** The OpenFlow document; `undefined` while there is none. */
	document: () => unknown;
	/** The layout of the whole document. */
	layout: () => Layout | null;
	/** Name under which this browser remembers what is collapsed; null to remember nothing. */
	memory: () => string | null;
	/**
	 * Fetches the OpenFlow document of a workflow that a step runs; `undefined` if there is none. `step` is the step's id in
	 * the layout. Without this function, sub-flows stay closed.
	 */
	loadSubflow?: (workflow: string, step: string) => Promise<unknown>;
	/** The URL of a workflow that a step runs; without it, that of its editor. */
	linkTo?: (workflow: string, step: string) => string;
}

/**
 * What a graph shows of a document: loops, branches and groups can be collapsed, and sub-flows opened in place. Holds the layout
 * of what is shown. Create it while a component is initialized, and pass it to `Graph`.
 */
export class GraphFolding {
	/** Ids of the collapsed loops and branches, and keys of the groups that are not as they are at first. */
	collapsed = $state.raw<ReadonlySet<string>>(new Set());
	/** Id of the card that was folded or unfolded last. It keeps its place on the screen. */
	anchor = $state.raw<string>();

	readonly #core: Core;
	readonly #source: FoldingSource;
	readonly #subflows = new SvelteMap<string, unknown>();
	/** Documents of the opened sub-flows, by the ids of the steps that run them. */
	readonly subflows: ReadonlyMap<string, unknown> = this.#subflows;
	#folded = $state.raw<{ layout: Layout; document: FoldedDocument } | null>(null);

	constructor(core: Core, source: FoldingSource) {
		this.#core = core;
		this.#source = source;
		$effect(() => {
			this.collapsed = readMemory(source.memory());
		});
		$effect(() => {
			const document = source.document();
			if (document === undefined) return;
			const folded = foldDocument(document, { collapsed: this.collapsed, subflows: this.#subflows });
			if (!folded) {
				this.#folded = null;
				return;
			}
			let isCurrent = true;
			void this.#core.layout<Layout>(folded.document, {}).then((layout) => {
				if (isCurrent && layout) this.#folded = { layout: unfoldLayout(layout, folded), document: folded };
			});
			return () => void (isCurrent = false);
		});
	}

	/** The layout of what is shown. */
	get layout(): Layout | null {
		return this.#folded?.layout ?? this.#source.layout();
	}

	/** The URL of a workflow that a step runs. */
	linkTo(workflow: string, step: string): string {
		return this.#source.linkTo?.(workflow, step) ?? editorUrl(workflow);
	}

	/** The module of a card, also of a step in an opened sub-flow. */
	moduleAt(pointer: string): Module | undefined {
		const folded = this.#folded?.document;
		const own = moduleAt(this.#source.document(), pointer)?.module;
		return own ?? folded?.modules.get(pointer) ?? moduleAt(folded?.document, pointer)?.module;
	}

	/** Whether the steps inside a card can be hidden or shown. */
	isFoldable(module: Module | undefined): boolean {
		return isCollapsible(module) || (this.#source.loadSubflow !== undefined && module !== undefined && subflowIdOf(module) !== null);
	}

	/** Whether the steps inside a foldable card are shown. */
	isOpen(id: string, module: Module): boolean {
		const group = groupAt(this.#source.document(), id);
		if (group) return !isGroupCollapsed(group, this.collapsed);
		return isCollapsible(module) ? !this.collapsed.has(id) : this.#subflows.has(id);
	}

	/** Ids of the steps inside a collapsed card. */
	idsWithin(pointer: string): string[] {
		const document = this.#source.document();
		const group = isGroupPointer(pointer) ? shownGroups(document).find((shown) => shown.pointer === pointer) : undefined;
		const placed = group ? undefined : moduleAt(document, pointer);
		const inside = group ? stepsOfGroup(document, group.place).flatMap((step) => modulesWithin(document, step)) : placed ? modulesWithin(document, placed).slice(1) : [];
		return inside.flatMap(({ module }) => module.id ?? []);
	}

	/** Hides or shows the steps inside a card. */
	async toggle(id: string, module: Module): Promise<void> {
		this.anchor = id;
		const subflow = subflowIdOf(module);
		const group = groupAt(this.#source.document(), id);
		if (group) this.#remember(toggled(this.collapsed, groupKey(group)));
		else if (isCollapsible(module)) this.#remember(toggled(this.collapsed, id));
		else if (this.#subflows.has(id)) this.#subflows.delete(id);
		else if (subflow !== null) {
			const document = await this.#source.loadSubflow?.(subflow, id);
			if (document !== undefined) this.#subflows.set(id, document);
		}
	}

	/** Collapses all loops, branches and groups, or shows the steps of all if some are collapsed. */
	toggleAll(): void {
		this.anchor = undefined;
		const document = this.#source.document();
		const ids = this.#collapsibleIds();
		const groups = shownGroups(document);
		const isAnyCollapsed = ids.some((id) => this.collapsed.has(id)) || groups.some((group) => isGroupCollapsed(group, this.collapsed));
		const keys = groups.filter(({ isCollapsedAtFirst }) => isCollapsedAtFirst === isAnyCollapsed).map(groupKey);
		this.#remember(new Set(isAnyCollapsed ? keys : [...ids, ...keys]));
	}

	/** Shows a step: the loops, branches and groups around it are no longer collapsed. */
	reveal(pointer: string): void {
		const document = this.#source.document();
		const around = enclosingModules(document, pointer).flatMap(({ pointer: place, module }) => [place, module.id ?? '']);
		const hidden = around.filter((id) => this.collapsed.has(id));
		const groups = shownGroups(document).filter((group) => isInGroup(group.place, pointer) && isGroupCollapsed(group, this.collapsed));
		if (hidden.length + groups.length > 0) this.#remember(groups.map(groupKey).reduce(toggled, hidden.reduce<ReadonlySet<string>>(without, this.collapsed)));
	}

	/** Id of the innermost group around a step; `undefined` if there is none. */
	groupAround(pointer: string): string | undefined {
		return groupsAround(this.#source.document(), pointer)[0]?.pointer;
	}

	#collapsibleIds(): string[] {
		const used = new Set<string>();
		return allModules(this.#source.document()).flatMap((placed) => {
			const id = layoutId(placed, used);
			used.add(id);
			return isCollapsible(placed.module) ? [id] : [];
		});
	}

	#remember(collapsed: ReadonlySet<string>): void {
		this.collapsed = collapsed;
		writeMemory(this.#source.memory(), collapsed);
	}
}

function without(set: ReadonlySet<string>, id: string): ReadonlySet<string> {
	return new Set([...set].filter((other) => other !== id));
}

/** The set with an element that it did not have, or without one that it had. */
function toggled(set: ReadonlySet<string>, id: string): ReadonlySet<string> {
	return set.has(id) ? without(set, id) : new Set([...set, id]);
}

const storageKey = (name: string) => `apiflow.collapsed.${name}`;

function readMemory(name: string | null): ReadonlySet<string> {
	try {
		const ids = JSON.parse((name !== null && localStorage.getItem(storageKey(name))) || '[]') as unknown;
		return new Set(Array.isArray(ids) ? ids.filter((id) => typeof id === 'string') : []);
	} catch {
		return new Set();
	}
}

function writeMemory(name: string | null, collapsed: ReadonlySet<string>): void {
	if (name === null) return;
	try {
		if (collapsed.size > 0) localStorage.setItem(storageKey(name), JSON.stringify([...collapsed]));
		else localStorage.removeItem(storageKey(name));
	} catch {
		// The storage is full or refused. The graph is remembered until the page is closed.
	}
}

import { JsonEdit } from '#lib/editor/json-edit.ts';
import { isWithin, valueAt } from '#lib/pointer.ts';
import { disableCondition, enableCondition, isDisabled, readSkipCondition } from './disabled-steps.ts';
import { keepGroups, renameInGroups } from './groups.ts';
import { allModules, isObject, moduleAt, moduleIds, modulesWithin, nodeIdOf, splitPlace, type Module } from './modules.ts';
import { findExpressions, findReferences, renameInExpression } from './references.ts';
import { StepIndex } from './step-index.ts';

/** Result of an edit of steps. */
export interface StepEdit {
	edit: JsonEdit;
	/** JSON Pointers of the steps to select afterwards, in the OpenFlow document. */
	select: readonly string[];
	/** Ids of steps that the edit removed and other steps still refer to, each with the ids of the latter. */
	dangling: Record<string, string[]>;
}

/**
 * Edits the steps of a workflow as text. `prefix` is the JSON Pointer of the OpenFlow document within the text; all other
 * pointers are those in the OpenFlow document.
 */
export class StepEditor {
	readonly #text: string;
	readonly #prefix: string;
	readonly #document: unknown;

	/** `text` must be valid JSON. */
	constructor(text: string, prefix: string) {
		this.#text = text;
		this.#prefix = prefix;
		this.#document = valueAt(JSON.parse(text), prefix);
	}

	/** Inserts modules before the place `at` (`/value/modules/2`). Their ids, and those inside them, are made unique. */
	insert(at: string, modules: readonly Module[]): StepEdit {
		const edit = this.#edit();
		const split = splitPlace(at);
		const copies = renameTogether(split ? modules : modules.slice(0, 1), moduleIds(this.#document));
		const places = copies.map((_, offset) => (split ? `${split.list}/${split.index + offset}` : at));
		if (split && copies.length > 0) edit.insert(this.#prefix + at, ...copies);
		else for (const copy of copies) edit.set(this.#prefix + at, copy);
		return { edit, select: places, dangling: {} };
	}

	/** Removes steps with what is inside them. */
	remove(pointers: readonly string[]): StepEdit {
		const edit = this.#edit();
		const outermost = findOutermost(pointers);
		edit.remove(...outermost.map((pointer) => this.#prefix + pointer));
		keepGroups(edit, this.#prefix, this.#document);
		return { edit, select: [], dangling: this.#findDangling(edit, outermost) };
	}

	/** Inserts copies of steps behind them. References among the copied steps lead to the copies. */
	duplicate(pointers: readonly string[]): StepEdit {
		const sorted = findOutermost(pointers).filter((pointer) => splitPlace(pointer) !== null);
		const last = splitPlace(sorted.at(-1) ?? '');
		if (!last) return { edit: this.#edit(), select: pointers, dangling: {} };
		return this.insert(`${last.list}/${last.index + 1}`, this.copy(sorted));
	}

	/** Copies of steps, to be pasted elsewhere. */
	copy(pointers: readonly string[]): Module[] {
		return findOutermost(pointers).flatMap((pointer) => {
			const placed = moduleAt(this.#document, pointer);
			return placed ? [structuredClone(placed.module)] : [];
		});
	}

	/**
	 * Moves steps before the place `to`, in document order; null if that place is inside one of them, if one of them is in
	 * no list, or if nothing would change.
	 */
	move(pointers: readonly string[], to: string): StepEdit | null {
		const sources = findOutermost(pointers);
		const modules = sources.flatMap((pointer): Module[] => {
			const placed = splitPlace(pointer) ? moduleAt(this.#document, pointer) : undefined;
			return placed ? [placed.module] : [];
		});
		const target = splitPlace(to);
		if (!target || modules.length === 0 || modules.length < sources.length) return null;
		if (sources.some((pointer) => isWithin(to, pointer) && to !== pointer)) return null;
		const edit = this.#edit();
		edit.remove(...sources.map((pointer) => this.#prefix + pointer));
		const place = splitPlace(sources.reduceRight(afterRemoval, to));
		if (!place) return null;
		const select = modules.map((_, offset) => `${place.list}/${place.index + offset}`);
		edit.insert(`${this.#prefix}${place.list}/${place.index}`, ...modules);
		keepGroups(edit, this.#prefix, this.#document, new Set(modules.map((module) => module.id ?? '')));
		const isSame = JSON.stringify(edit.value) === JSON.stringify(JSON.parse(this.#text));
		return isSame ? null : { edit, select, dangling: {} };
	}

	/** Renames a step, with all references to it. */
	rename(pointer: string, id: string): StepEdit {
		const edit = this.#edit();
		const before = moduleAt(this.#document, pointer)?.module.id;
		if (typeof before === 'string' && before !== '') {
			const names = new Map([[before, id]]);
			edit.setAll(findExpressions(this.#document).map(({ at, text }) => [this.#prefix + at, renameInExpression(text, names)]));
			renameInGroups(edit, this.#prefix, before, id);
			if (valueAt(this.#document, '/value/early_return') === before) edit.set(`${this.#prefix}/value/early_return`, id);
		}
		edit.set(`${this.#prefix}${pointer}/id`, id);
		return { edit, select: [pointer], dangling: {} };
	}

	/** Disables steps, or enables them again. Their own `skip_if` comes back. */
	setDisabled(pointers: readonly string[], disabled: boolean): StepEdit {
		const [edit, changed, removed] = [this.#edit(), [] as [pointer: string, value: unknown][], [] as string[]];
		for (const pointer of pointers) {
			const at = `${this.#prefix}${pointer}/skip_if`;
			const module = moduleAt(this.#document, pointer)?.module;
			if (!module || isDisabled(module) === disabled) continue;
			const condition = readSkipCondition(module);
			const own = disabled ? condition : enableCondition(condition);
			if (disabled) changed.push([at, { expr: disableCondition(own) }]);
			else if (own === '') removed.push(at);
			else changed.push([`${at}/expr`, own]);
		}
		return { edit: edit.setAll(changed).remove(...removed), select: pointers, dangling: {} };
	}

	#edit(): JsonEdit {
		return new JsonEdit(this.#text);
	}

	#findDangling(edit: JsonEdit, removed: readonly string[]): Record<string, string[]> {
		const after = valueAt(edit.value, this.#prefix);
		const left = moduleIds(after);
		const gone = removed.flatMap((pointer) => {
			const placed = moduleAt(this.#document, pointer);
			return placed ? modulesWithin(this.#document, placed).flatMap(({ module }) => module.id ?? []) : [];
		});
		return Object.fromEntries(findReferrers(after, new Set(gone.filter((id) => !left.has(id)))));
	}
}

/** Ids of the steps whose expressions refer to some steps, in document order, by the ids of the latter. */
export function findReferrers(document: unknown, ids: ReadonlySet<string>): Map<string, string[]> {
	const found = new Map<string, string[]>();
	if (ids.size === 0) return found;
	const index = new StepIndex(document);
	for (const { at, text } of findExpressions(document)) {
		for (const { step } of findReferences(text)) {
			const user = ids.has(step) ? index.enclosing(at)[0]?.module.id : undefined;
			const users = found.get(step) ?? [];
			if (user && !users.includes(user)) found.set(step, [...users, user]);
		}
	}
	return found;
}

/**
 * An id for a new step, from the name of what it does: `flux_kontext_pro`, then `flux_kontext_pro_2`. `numbers` has the first number to
 * try for each name, and is kept up to date: a thousand copies need not try a thousand numbers each.
 */
export function makeStepId(base: string, used: ReadonlySet<string>, numbers = new Map<string, number>()): string {
	const slug = base.toLowerCase().replace(/[^a-z0-9]+/g, '_').replace(/^_+|_+$/g, '') || 'step';
	const name = /^\d/.test(slug) ? `step_${slug}` : slug;
	if (!used.has(name)) return name;
	const stem = name.replace(/_\d+$/, '');
	let number = numbers.get(stem) ?? 2;
	while (used.has(`${stem}_${number}`)) number++;
	numbers.set(stem, number + 1);
	return `${stem}_${number}`;
}

/** Copies modules and gives them, and the modules inside them, ids that are not in use, with the references among them. */
function renameTogether(modules: readonly Module[], used: ReadonlySet<string>): Module[] {
	const copies = structuredClone(modules) as Module[];
	const taken = new Set(used);
	const [names, numbers] = [new Map<string, string>(), new Map<string, number>()];
	const placed = copies.flatMap((module, index) => modulesWithin({ list: copies }, { pointer: `/list/${index}`, module }));
	for (const { module } of placed) {
		const before = module.id;
		const isFree = before && !taken.has(before);
		const id = isFree ? before : makeStepId(before || nodeIdOf(module) || module.value?.type || 'step', taken, numbers);
		taken.add(id);
		module.id = id;
		if (before) names.set(before, id);
	}
	for (const copy of copies) renameReferences(copy, names);
	return copies;
}

function renameReferences(value: unknown, names: ReadonlyMap<string, string>): void {
	if (typeof value !== 'object' || value === null) return;
	const container = value as Record<string, unknown>;
	for (const [key, inner] of Object.entries(container)) {
		if (key === 'expr' && typeof inner === 'string') container[key] = renameInExpression(inner, names);
		else renameReferences(inner, names);
	}
}

/** Sorts pointers in document order, where what contains others is before them. */
const { compare: comparePlaces } = new Intl.Collator('en', { numeric: true });

/** The pointers that are not within another of them, in document order. */
function findOutermost(pointers: readonly string[]): string[] {
	const outermost: string[] = [];
	for (const pointer of pointers.toSorted(comparePlaces)) {
		const last = outermost.at(-1);
		if (last === undefined || last === pointer || !isWithin(pointer, last)) outermost.push(pointer);
	}
	return outermost;
}

/** The pointer that a place has after an element was removed from an array. */
function afterRemoval(pointer: string, removed: string): string {
	const place = splitPlace(removed);
	if (!place || !isWithin(pointer, place.list)) return pointer;
	const [index, ...rest] = pointer.slice(place.list.length + 1).split('/');
	const number = Number(index);
	if (number <= place.index) return pointer;
	return [place.list, number - 1, ...rest].join('/');
}

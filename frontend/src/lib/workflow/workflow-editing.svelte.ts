import { createContext } from 'svelte';
import type { Workflow } from '#lib/api/types.ts';
import type { Catalog } from '#lib/core.ts';
import type { Draft } from '#lib/forms/draft.svelte.ts';
import { applyFixes } from '#lib/editor/fixes.ts';
import { JsonEdit, type TextEdit } from '#lib/editor/json-edit.ts';
import { updateValue } from '#lib/editor/json-update.ts';
import { formatPointer, valueAt } from '#lib/pointer.ts';
import { endTask } from '#lib/tasks.ts';
import type { Fix } from '#lib/problems.ts';
import { addGroup } from './groups.ts';
import { allModules, isObject, moduleAt, moduleIds, type Module, type PlacedModule } from './modules.ts';
import { findNextPlace } from './places.ts';
import { describeBrokenReferences } from './reference-check.ts';
import { listScope, type LastRun, type ScopeEntry, type ScopeSite } from './scope.ts';
import { isDisabled } from './disabled-steps.ts';
import { makeStepId, StepEditor, type StepEdit } from './step-edits.ts';
import { listInputs, type InputSpec } from './step-inputs.ts';
import { inputRenames, stepsUsingInput } from './input-references.ts';
import { connectInputs, type StepTemplate } from './step-templates.ts';

/** The text editor that all changes of the document go through, so that there is one undo history. */
export interface TextEditor {
	/** Applies an edit as one undo step. */
	apply(edit: TextEdit): void;
	undo(): void;
	redo(): void;
	/** Scrolls to the place that a JSON Pointer names, without taking the focus. */
	show(pointer: string): void;
}

/** Most steps that a message names. */
const MAX_NAMES = 5;

/** Tells the user what an edit did, or why there was none. */
export type Notify = (message: string, undo?: () => void) => void;

/** Ids of the modules that stand in no list, as OpenFlow names them. */
const FIXED_IDS: Readonly<Record<string, string>> = { '/value/failure_module': 'failure', '/value/preprocessor_module': 'preprocessor' };

const NO_CATALOG: Catalog = { connectors: {}, nodes: {}, workflows: {} };

/** Editing of a workflow: its document, the selected steps, and the actions on them. */
export class WorkflowEditing {
	/** Ids of the selected steps, as in the layout: the step's id, or its pointer if the id isn't unique. The last is the main one. */
	selected = $state.raw<readonly string[]>([]);
	/** Documents that the workflow may refer to. */
	catalog = $state.raw<Catalog>(NO_CATALOG);
	/** Input and results of the last run. */
	lastRun = $state.raw<LastRun | null>(null);

	readonly #draft: Draft<Workflow>;
	readonly #prefix: string;
	readonly #text: () => TextEditor | undefined;
	readonly #notify: Notify;
	/** The value of each input in its other form, by step and input. */
	readonly #kept = new Map<string, unknown>();

	/** `prefix` is the JSON Pointer of the OpenFlow document in the draft's text. */
	constructor(draft: Draft<Workflow>, prefix: string, text: () => TextEditor | undefined, notify: Notify) {
		this.#draft = draft;
		this.#prefix = prefix;
		this.#text = text;
		this.#notify = notify;
	}

	/** The OpenFlow document; `undefined` while the text is not valid JSON. */
	readonly document: unknown = $derived.by(() => valueAt(this.#draft.value, this.#prefix));
	/** Whether the document can be changed by actions. */
	readonly editable: boolean = $derived.by(() => isObject(this.#draft.value));

	/** All steps by their ids in the layout. */
	readonly #steps: ReadonlyMap<string, PlacedModule> = $derived.by(() => {
		const found = new Map<string, PlacedModule>();
		for (const placed of allModules(this.document)) {
			const { id } = placed.module;
			const own = id && !id.startsWith('@') && !found.has(id) ? id : placed.pointer;
			found.set(own, placed);
		}
		return found;
	});

	/** The selected steps that exist. */
	readonly selectedSteps: PlacedModule[] = $derived.by(() => this.selected.flatMap((id) => this.#steps.get(id) ?? []));
	/** The step that the panel shows: the only one selected. */
	readonly step: PlacedModule | undefined = $derived(this.selectedSteps.length === 1 ? this.selectedSteps[0] : undefined);

	/** Ids of all steps, in document order. */
	readonly stepIds: string[] = $derived([...this.#steps.keys()]);

	/** The step with an id of the layout. */
	find(id: string): PlacedModule | undefined {
		return this.#steps.get(id);
	}

	/** Selects a step; `add` adds it to the selection, or removes it. */
	select(id: string | null, add = false): void {
		if (id === null) this.selected = [];
		else if (!add) this.selected = [id];
		else this.selected = this.selected.includes(id) ? this.selected.filter((other) => other !== id) : [...this.selected, id];
		const step = this.step;
		if (step) this.#text()?.show(this.#prefix + step.pointer);
	}

	/** Selects the step before (-1) or behind (1) the selected one, in document order; `add` keeps the others selected. */
	selectNext(by: 1 | -1, add = false): void {
		const at = this.stepIds.indexOf(this.selected.at(-1) ?? '');
		const next = this.stepIds[at < 0 ? (by > 0 ? 0 : this.stepIds.length - 1) : at + by];
		if (next === undefined) return;
		if (add) this.selected = [...this.selected.filter((id) => id !== next), next];
		else this.select(next);
	}

	/** Values that an expression at a place can use. */
	scopeAt(pointer: string, site?: ScopeSite): ScopeEntry[] {
		return listScope(this.document, pointer, this.catalog, this.lastRun, site);
	}

	/** Inputs of a step. */
	inputsOf(module: Module): InputSpec[] {
		return listInputs(module, this.catalog);
	}

	/** Inserts a step from a template, with its inputs connected where one output fits. */
	insert(at: string, template: StepTemplate): void {
		const fresh = template.create();
		// The id is settled before the inputs are connected: a later change of it would rename references to a step of that id.
		fresh.id = makeStepId(FIXED_IDS[at] ?? fresh.id ?? template.name, moduleIds(this.document));
		const module = connectInputs(fresh, this.inputsOf(fresh), this.scopeAt(at));
		this.#perform((editor) => editor.insert(at, [module]));
	}

	/** Inserts copied steps. Returns whether there were any. */
	paste(at: string, text: string): boolean {
		const modules = readModules(text);
		if (modules.length > 0) this.#performChecked('Pasted', (editor) => editor.insert(at, modules));
		return modules.length > 0;
	}

	/** Where new steps are put: behind the selected step, else at the end. */
	get insertionPlace(): string {
		const pointer = this.selectedSteps.at(-1)?.pointer;
		const found = /^(.*)\/(\d+)$/.exec(pointer ?? '');
		if (found) return `${found[1]}/${Number(found[2]) + 1}`;
		const modules = valueAt(this.document, '/value/modules');
		return `/value/modules/${Array.isArray(modules) ? modules.length : 0}`;
	}

	/** The selected steps as JSON. */
	copy(): string {
		const editor = this.#editor();
		return editor ? JSON.stringify(editor.copy(this.selectedSteps.map(({ pointer }) => pointer)), null, 2) : '[]';
	}

	/** Deletes the selected steps. */
	remove(): void {
		const names = this.selectedSteps.map(({ module }) => module.id ?? 'step');
		if (names.length === 0) return;
		const result = this.#perform((editor) => editor.remove(this.selectedSteps.map(({ pointer }) => pointer)));
		const users = [...new Set(Object.values(result?.dangling ?? {}).flat())];
		const warning = users.length > 0 ? ` Still used by ${users.join(', ')}.` : '';
		this.#notify(`Deleted ${names.length > MAX_NAMES ? `${names.length} steps` : names.join(', ')}.${warning}`, () => this.undo());
	}

	/** Duplicates the selected steps. */
	duplicate(): void {
		if (this.selectedSteps.length > 0) this.#perform((editor) => editor.duplicate(this.selectedSteps.map(({ pointer }) => pointer)));
	}

	/** Moves steps before a place, and names the references that this breaks. Nothing happens if the place is inside one of the steps. */
	move(pointers: readonly string[], to: string): void {
		this.#performChecked('Moved', (editor) => editor.move(pointers, to));
	}

	/** Moves the selected steps one place up (-1) or down (1), also into and out of loops and branches. */
	moveSelected(by: 1 | -1): void {
		const pointers = this.stepIds.flatMap((id) => (this.selected.includes(id) ? (this.find(id)?.pointer ?? []) : []));
		const place = findNextPlace(this.document, pointers, by);
		if (place !== null) this.move(pointers, place);
	}

	/** Puts the selected steps into a group; returns its pointer, or null if they can't be grouped, which is said. */
	group(): string | null {
		const changes = addGroup(this.document, this.selectedSteps.map(({ pointer }) => pointer));
		if (typeof changes === 'string') {
			this.#notify(`${changes}.`);
			return null;
		}
		this.set(...changes);
		const [pointer] = changes[0] ?? [];
		return pointer === undefined || /\d$/.test(pointer) ? (pointer ?? null) : `${pointer}/0`;
	}

	/** Renames a step, with all references. */
	rename(pointer: string, id: string): void {
		this.#perform((editor) => editor.rename(pointer, id));
	}

	/** Disables a step, or enables it again. */
	setDisabled(pointer: string, disabled: boolean): void {
		this.#perform((editor) => editor.setDisabled([pointer], disabled));
	}

	/** Disables the selected steps, or enables them if all are disabled. */
	toggleDisabled(): void {
		const steps = this.selectedSteps;
		const disabled = steps.some(({ module }) => !isDisabled(module));
		if (steps.length > 0) this.#perform((editor) => editor.setDisabled(steps.map(({ pointer }) => pointer), disabled));
	}

	/** Sets values at pointers of the OpenFlow document as one undo step; `undefined` removes. Only what differs is written. */
	set(...changes: readonly [pointer: string, value: unknown][]): void {
		this.#edit((edit) => {
			for (const [pointer, value] of changes) updateValue(edit, this.#prefix + pointer, value);
		});
	}

	/** Applies the fix of a finding, if its place still exists. */
	applyFix(fix: Fix): void {
		this.#text()?.apply(applyFixes(this.#draft.text, [fix]));
	}

	/** Exchanges two elements of a list of the OpenFlow document, with their formatting. */
	swap(one: string, other: string): void {
		this.#edit((edit) => edit.swap(this.#prefix + one, this.#prefix + other));
	}

	/** Renames an input of the workflow with the expressions that read it; `schema` is the schema with the new name. */
	renameInput(from: string, to: string, schema: Record<string, unknown>): void {
		this.set(['/schema', schema], ...inputRenames(this.document, from, to));
	}

	/** Deletes an input of the workflow, and names the steps that use it; `schema` is the schema without it. */
	deleteInput(name: string, schema: Record<string, unknown>): void {
		const users = stepsUsingInput(this.document, name);
		this.set(['/schema', schema]);
		this.#notify(`Deleted input ${name}.${users.length > 0 ? ` Still used by ${users.join(', ')}.` : ''}`, () => this.undo());
	}

	/** Sets a field of the workflow itself, such as its name; `undefined` removes it. */
	setField(name: string, value: unknown): void {
		this.#edit((edit) => updateValue(edit, formatPointer([name]), value));
	}

	#edit(change: (edit: JsonEdit) => unknown): void {
		if (!this.editable) return;
		const edit = new JsonEdit(this.#draft.text);
		change(edit);
		this.#text()?.apply(edit.changes);
	}

	/** Keeps the value that an input has in one form, while the other form is used. */
	keep(key: string, value: unknown): void {
		this.#kept.set(key, value);
	}

	/** The value that was kept; `undefined` if there is none. */
	kept(key: string): unknown {
		return this.#kept.get(key);
	}

	undo(): void {
		this.#text()?.undo();
	}

	redo(): void {
		this.#text()?.redo();
	}

	#editor(): StepEditor | null {
		return this.editable ? new StepEditor(this.#draft.text, this.#prefix) : null;
	}

	/** Performs an edit that may break references, and names these. `verb` says what it did. */
	#performChecked(verb: string, action: (editor: StepEditor) => StepEdit | null): void {
		const before = this.document;
		const result = this.#perform(action);
		if (result) void this.#warnOfBroken(`${verb} ${this.selected.length > MAX_NAMES ? `${this.selected.length} steps` : this.selected.join(', ')}.`, before, result);
	}

	/** Names the references that an edit broke, after the edit is shown: all expressions are read for it. */
	async #warnOfBroken(done: string, before: unknown, { edit }: StepEdit): Promise<void> {
		await endTask();
		const broken = describeBrokenReferences(before, valueAt(edit.value, this.#prefix));
		if (broken) this.#notify(`${done} ${broken}`, () => this.undo());
	}

	#perform(action: (editor: StepEditor) => StepEdit | null): StepEdit | null {
		const editor = this.#editor();
		const result = editor && action(editor);
		if (!result) return null;
		this.#text()?.apply(result.edit.changes);
		const after = valueAt(result.edit.value, this.#prefix);
		const ids = result.select.map((pointer) => moduleAt(after, pointer)?.module.id || pointer);
		if (ids.length === 1 && ids[0]) this.select(ids[0]);
		else this.selected = ids;
		return result;
	}
}

/** Reads steps from copied text: one module, a list of modules, or a whole document. */
export function readModules(text: string): Module[] {
	let value: unknown;
	try {
		value = JSON.parse(text);
	} catch {
		return [];
	}
	const document = isObject(value) && isObject(value.nodes) ? value.nodes : value;
	const list = isObject(document) && isObject(document.value) && Array.isArray(document.value.modules) ? document.value.modules : [document].flat();
	return list.filter((module): module is Module => isObject(module) && isObject(module.value) && typeof module.value.type === 'string');
}

/** Context of the workflow that is edited. */
export const [useWorkflowEditing, provideWorkflowEditing] = createContext<WorkflowEditing>();

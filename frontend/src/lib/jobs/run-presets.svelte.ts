import { createStore, get, set, type UseStore } from 'idb-keyval';

/** Inputs under a name, to run a workflow with them again. */
export interface RunPreset {
	name: string;
	input: Record<string, unknown>;
}

let opened: UseStore | undefined;

function store(): UseStore {
	return (opened ??= createStore('apiflow-presets', 'presets'));
}

/** The presets of a list with one added; it replaces one of the same name. */
export function withPreset(presets: readonly RunPreset[], added: RunPreset): RunPreset[] {
	return [...presets.filter(({ name }) => name !== added.name), added].sort((one, other) => one.name.localeCompare(other.name));
}

/** The presets of a workflow, which this browser keeps. */
export class RunPresets {
	/** All presets, by name. */
	list = $state.raw<readonly RunPreset[]>([]);
	/** Why presets can't be kept; empty if they can. */
	fault = $state('');
	readonly #key: string;

	/** `workflow` is the workflow's id. */
	constructor(workflow: string) {
		this.#key = workflow;
		void get<RunPreset[]>(workflow, store())
			.then((found) => (this.list = found ?? []))
			.catch(() => (this.fault = 'This browser refuses to keep presets.'));
	}

	/** Keeps inputs under a name. */
	async save(name: string, input: Record<string, unknown>): Promise<void> {
		await this.#keep(withPreset(this.list, { name, input }));
	}

	/** Deletes a preset. */
	async remove(name: string): Promise<void> {
		await this.#keep(this.list.filter((preset) => preset.name !== name));
	}

	async #keep(list: readonly RunPreset[]): Promise<void> {
		this.list = list;
		await set(this.#key, JSON.parse(JSON.stringify(list)), store()).catch(() => (this.fault = 'This browser refuses to keep presets.'));
	}
}

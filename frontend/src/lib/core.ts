import { createContext } from 'svelte';
import { DryRuns, startDryRunWorker, type DryRunOutcome, type DryRunRequest, type DryRunWorker } from '#lib/dry-run.ts';
import type { Connector, Diagnostic, Node } from '#lib/api/types.ts';

/** What a workflow may refer to, as the core wants it. Names of secrets are not known here. */
export interface Catalog {
	connectors: Record<string, Connector>;
	nodes: Record<string, Node>;
	/** OpenFlow documents of sub-flows. */
	workflows: Record<string, unknown>;
}

/** The functions of the core's WebAssembly module; they take and give JSON texts. */
export interface CoreModule {
	validate(workflow: string, catalog: string): string;
	layout(workflow: string, options: string): string;
	version(): string;
}

/** Makes an instance of the module that shares nothing with the one before. */
export type Loader = (instance: number) => Promise<CoreModule>;

/** The core: the same checks and layout as on the server, in the browser. */
export class Core {
	readonly #load: Loader;
	readonly #dryRuns: DryRuns;
	#instance = 0;
	#module: Promise<CoreModule> | undefined;

	/** Loads nothing until the first call. */
	constructor(load: Loader, startWorker: () => DryRunWorker = startDryRunWorker) {
		this.#load = load;
		this.#dryRuns = new DryRuns(startWorker);
	}

	/** What is wrong with an OpenFlow document. A failure of the core itself is a finding too. */
	async validate(document: unknown, catalog: Catalog): Promise<Diagnostic[]> {
		const found = await this.#call((core) => core.validate(JSON.stringify(document), JSON.stringify(catalog)));
		return 'value' in found ? (JSON.parse(found.value) as Diagnostic[]) : [found.failure];
	}

	/** Where the steps of an OpenFlow document are drawn; `null` where the core failed or cannot read it. */
	async layout<T>(document: unknown, options: object): Promise<T | null> {
		const found = await this.#call((core) => core.layout(JSON.stringify(document), JSON.stringify(options)));
		return 'value' in found ? (JSON.parse(found.value) as T | null) : null;
	}

	/** What an OpenFlow document would do: the same engine with made-up answers, and nothing sent. */
	dryRun(request: DryRunRequest): Promise<DryRunOutcome> {
		return this.#dryRuns.run(request);
	}

	/** A trap leaves the memory of the instance in an unknown state, so the next call gets a new one. */
	async #call(run: (core: CoreModule) => string): Promise<{ value: string } | { failure: Diagnostic }> {
		const module = (this.#module ??= this.#load(this.#instance++));
		try {
			return { value: run(await module) };
		} catch (error) {
			if (module === this.#module) this.#module = undefined;
			return { failure: failure(error) };
		}
	}
}

function failure(error: unknown): Diagnostic {
	const message = error instanceof Error ? error.message : String(error);
	return {
		code: 'core-failed',
		severity: 'warning',
		pointer: '',
		message: `the checks in this browser failed (${message})`,
		help: 'the server checks the workflow when you save it'
	};
}

const glue = import.meta.glob<string>('./wasm/pkg/apiflow_wasm.js', { query: '?url', import: 'default', eager: true });
const binary = import.meta.glob<string>('./wasm/pkg/apiflow_wasm_bg.wasm', { query: '?url', import: 'default', eager: true });

/** Loads the module that `cargo xtask build` makes. Each instance is a module of its own, so that a trap stays in it. */
export async function loadCore(instance: number): Promise<CoreModule> {
	const [script] = Object.values(glue);
	const [wasm] = Object.values(binary);
	if (script === undefined || wasm === undefined) throw new Error('it is not built; run `cargo xtask build`');
	const module = (await import(/* @vite-ignore */ `${script}?instance=${instance}`)) as CoreModule & {
		default(source: { module_or_path: string }): Promise<unknown>;
	};
	await module.default({ module_or_path: wasm });
	return module;
}

/** The core of the app around a component. */
export const [useCore, provideCore] = createContext<Core>();

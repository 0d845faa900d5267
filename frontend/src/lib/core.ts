import { createContext } from 'svelte';
import { DryRuns, startDryRunWorker, type DryRunOutcome, type DryRunRequest, type DryRunWorker } from '#lib/dry-run.ts';
import type { Connector, Diagnostic, Node } from '#lib/api/types.ts';

/** Documents that a workflow may refer to, in the format of the core. Names of secrets are not available here. */
export interface Catalog {
	connectors: Record<string, Connector>;
	nodes: Record<string, Node>;
	/** OpenFlow documents of sub-flows. */
	workflows: Record<string, unknown>;
}

/** Functions of the core's WebAssembly module. Arguments and results are JSON strings. */
export interface CoreModule {
	validate(workflow: string, catalog: string): string;
	layout(workflow: string, options: string): string;
	version(): string;
}

/** Creates an instance of the module that shares nothing with earlier instances. */
export type Loader = (instance: number) => Promise<CoreModule>;

/** The core in the browser: the same validator and layout as on the server. */
export class Core {
	readonly #load: Loader;
	readonly #dryRuns: DryRuns;
	#instance = 0;
	#module: Promise<CoreModule> | undefined;

	/** Creates the core. Nothing is loaded until the first call. */
	constructor(load: Loader, startWorker: () => DryRunWorker = startDryRunWorker) {
		this.#load = load;
		this.#dryRuns = new DryRuns(startWorker);
	}

	/** Validates an OpenFlow document. If the core itself fails, this is returned as a diagnostic. */
	async validate(document: unknown, catalog: Catalog): Promise<Diagnostic[]> {
		const found = await this.#call((core) => core.validate(JSON.stringify(document), JSON.stringify(catalog)));
		return 'value' in found ? (JSON.parse(found.value) as Diagnostic[]) : [found.failure];
	}

	/** Computes the layout of an OpenFlow document; `null` if the core fails or can't parse it. */
	async layout<T>(document: unknown, options: object): Promise<T | null> {
		const found = await this.#call((core) => core.layout(JSON.stringify(document), JSON.stringify(options)));
		return 'value' in found ? (JSON.parse(found.value) as T | null) : null;
	}

	/** Performs a dry run: the same engine with mocked calls. Nothing is sent. */
	dryRun(request: DryRunRequest): Promise<DryRunOutcome> {
		return this.#dryRuns.run(request);
	}

	/** Calls the module. After a trap, its memory is in an unknown state, so the next call creates a new instance. */
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
		message: `the validator failed in this browser (${message})`,
		help: 'the server checks the workflow when you save it'
	};
}

const glue = import.meta.glob<string>('./wasm/pkg/apiflow_wasm.js', { query: '?url', import: 'default', eager: true });
const binary = import.meta.glob<string>('./wasm/pkg/apiflow_wasm_bg.wasm', { query: '?url', import: 'default', eager: true });

/** Loads the module built by `cargo xtask build`. Each instance is a separate module, so that a trap affects only that instance. */
export async function loadCore(instance: number): Promise<CoreModule> {
	const [script] = Object.values(glue);
	const [wasm] = Object.values(binary);
	if (script === undefined || wasm === undefined) throw new Error('the WebAssembly module is not built; run `cargo xtask build`');
	const module = (await import(/* @vite-ignore */ `${script}?instance=${instance}`)) as CoreModule & {
		default(source: { module_or_path: string }): Promise<unknown>;
	};
	await module.default({ module_or_path: wasm });
	return module;
}

/** Context of the core. */
export const [useCore, provideCore] = createContext<Core>();

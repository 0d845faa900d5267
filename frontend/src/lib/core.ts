import { createContext } from 'svelte';
import { DeclarationsCheck } from '#lib/documents/declarations-check.ts';
import { DryRuns, startDryRunWorker, type DryRunOutcome, type DryRunRequest, type DryRunWorker } from '#lib/jobs/dry-run.ts';
import type { CatalogConnector, CatalogNode, Diagnostic } from '#lib/api/types.ts';
import type { Layout } from '#lib/graph/flow.ts';
import { loadWasm, WasmInstance, type Loader } from './wasm-instance.ts';

/** What a workflow may refer to, in the format of the core. Names of secrets are not available here. */
export interface Catalog {
	connectors: Record<string, CatalogConnector>;
	nodes: Record<string, CatalogNode>;
	/** OpenFlow documents of sub-flows. */
	workflows: Record<string, unknown>;
}

/** A catalog inside the module. Arguments and results are JSON strings; `pointer` is that of the OpenFlow document within a text. */
export interface CatalogHandle {
	check(text: string, pointer: string): string;
	complete(text: string, pointer: string, expression: string, before: string): string;
	free(): void;
}

/** Functions of the core's WebAssembly module. Arguments and results are JSON strings. */
export interface CoreModule {
	CatalogHandle: new (catalog: string) => CatalogHandle;
	layout(workflow: string, options: string): string;
	version(): string;
}

/** Findings about a workflow, and its layout; null if the text can't be read. */
export interface CheckedWorkflow {
	diagnostics: Diagnostic[];
	layout: Layout | null;
}

/** A completion of an expression. */
export interface ExpressionCompletion {
	/** The name that is offered. */
	label: string;
	/** The text that replaces what is before the cursor. */
	insert: string;
	kind: 'name' | 'step' | 'input' | 'member';
	/** Type of the value, as in declarations; empty if unknown. */
	type: string;
	description: string;
}

/** What can be written at a cursor in an expression. */
export interface ExpressionCompletions {
	/** Number of characters before the cursor that a completion replaces. */
	replaced: number;
	options: ExpressionCompletion[];
}

/** An OpenFlow document within a text, which is passed on as it is. */
export interface WorkflowText {
	text: string;
	/** JSON Pointer of the OpenFlow document. */
	pointer: string;
}

/** The core in the browser: the same validator and layout as on the server. */
export class Core {
	/** Checks connectors and nodes. */
	readonly declarations: DeclarationsCheck;

	readonly #module: WasmInstance<CoreModule>;
	readonly #dryRuns: DryRuns;
	/** The catalog of the last call, which stays in the module until another one is passed. */
	#kept: { module: CoreModule; catalog: Catalog; handle: CatalogHandle } | undefined;

	/** Creates the core. Nothing is loaded until the first call. */
	constructor(load: Loader<CoreModule>, startWorker: () => DryRunWorker = startDryRunWorker, declarations = new DeclarationsCheck()) {
		this.#module = new WasmInstance(load);
		this.#dryRuns = new DryRuns(startWorker);
		this.declarations = declarations;
	}

	/** Validates a workflow and lays it out. If the core itself fails, this is returned as a diagnostic. */
	async check({ text, pointer }: WorkflowText, catalog: Catalog): Promise<CheckedWorkflow> {
		const found = await this.#module.call((core) => this.#handle(core, catalog).check(text, pointer));
		return 'value' in found ? (JSON.parse(found.value) as CheckedWorkflow) : { diagnostics: [found.failure], layout: null };
	}

	/** Completes an expression: `expression` is its JSON Pointer within the OpenFlow document, `before` its text before the cursor. Null if the core fails. */
	async complete({ text, pointer }: WorkflowText, catalog: Catalog, expression: string, before: string): Promise<ExpressionCompletions | null> {
		const found = await this.#module.call((core) => this.#handle(core, catalog).complete(text, pointer, expression, before));
		return 'value' in found ? (JSON.parse(found.value) as ExpressionCompletions) : null;
	}

	/** Computes the layout of an OpenFlow document; `null` if the core fails or can't parse it. */
	async layout<T>(document: unknown, options: object): Promise<T | null> {
		const found = await this.#module.call((core) => core.layout(JSON.stringify(document), JSON.stringify(options)));
		return 'value' in found ? (JSON.parse(found.value) as T | null) : null;
	}

	/** Performs a dry run: the same engine with mocked calls. Nothing is sent. */
	dryRun(request: DryRunRequest): Promise<DryRunOutcome> {
		return this.#dryRuns.run(request);
	}

	/** Returns the catalog in the module; reads it if it is another one than before, or if the module is. */
	#handle(module: CoreModule, catalog: Catalog): CatalogHandle {
		if (this.#kept?.module === module && this.#kept.catalog === catalog) return this.#kept.handle;
		if (this.#kept?.module === module) this.#kept.handle.free();
		this.#kept = undefined;
		const { connectors, nodes, workflows } = catalog;
		const handle = new module.CatalogHandle(JSON.stringify({ connectors, nodes, workflows }));
		this.#kept = { module, catalog, handle };
		return handle;
	}
}

const glue = import.meta.glob<string>('./wasm/pkg/apiflow_wasm.js', { query: '?url', import: 'default', eager: true });
const binary = import.meta.glob<string>('./wasm/pkg/apiflow_wasm_bg.wasm', { query: '?url', import: 'default', eager: true });

/** Loads the module built by `cargo xtask build`. */
export function loadCore(instance: number): Promise<CoreModule> {
	return loadWasm(Object.values(glue)[0], Object.values(binary)[0], instance);
}

/** Context of the core. */
export const [useCore, provideCore] = createContext<Core>();

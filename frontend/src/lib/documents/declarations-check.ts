import type { Connector, Diagnostic } from '#lib/api/types.ts';
import { loadWasm, WasmInstance, type Loader } from '#lib/wasm-instance.ts';

/** Functions of the WebAssembly module that checks connectors and nodes. Arguments and results are JSON strings. */
export interface DeclarationsModule {
	validate_connector(connector: string): string;
	validate_node(node: string, catalog: string): string;
}

/** Checks connectors and nodes while they are typed, as the server does when they are saved. */
export class DeclarationsCheck {
	readonly #module: WasmInstance<DeclarationsModule>;

	/** Nothing is loaded until the first check. */
	constructor(load: Loader<DeclarationsModule> = loadDeclarations) {
		this.#module = new WasmInstance(load);
	}

	/** Returns the findings about a connector, given as JSON; pointers are relative to it. */
	validateConnector(text: string): Promise<Diagnostic[]> {
		return this.#check((module) => module.validate_connector(text));
	}

	/** Returns the findings about a node, given as JSON, and its call through one of the connectors; pointers are relative to the node. */
	validateNode(text: string, connectors: Record<string, Connector>): Promise<Diagnostic[]> {
		return this.#check((module) => module.validate_node(text, JSON.stringify({ connectors })));
	}

	async #check(run: (module: DeclarationsModule) => string): Promise<Diagnostic[]> {
		const found = await this.#module.call(run);
		return 'value' in found ? (JSON.parse(found.value) as Diagnostic[]) : [found.failure];
	}
}

const glue = import.meta.glob<string>('#lib/wasm/pkg-declarations/apiflow_wasm_declarations.js', { query: '?url', import: 'default', eager: true });
const binary = import.meta.glob<string>('#lib/wasm/pkg-declarations/apiflow_wasm_declarations_bg.wasm', { query: '?url', import: 'default', eager: true });

function loadDeclarations(instance: number): Promise<DeclarationsModule> {
	return loadWasm(Object.values(glue)[0], Object.values(binary)[0], instance);
}

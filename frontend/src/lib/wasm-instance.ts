import type { Diagnostic } from '#lib/api/types.ts';

/** Creates an instance of a module that shares nothing with earlier instances. */
export type Loader<M> = (instance: number) => Promise<M>;

/** What a call returned, or why it failed. */
export type Outcome<T> = { value: T } | { failure: Diagnostic };

/** A WebAssembly module that is loaded on first use. After a trap its memory is in an unknown state, so the next call uses a new instance. */
export class WasmInstance<M> {
	readonly #load: Loader<M>;
	#instance = 0;
	#module: Promise<M> | undefined;

	/** Nothing is loaded until the first call. */
	constructor(load: Loader<M>) {
		this.#load = load;
	}

	/** Calls the module. */
	async call<T>(run: (module: M) => T): Promise<Outcome<T>> {
		const module = (this.#module ??= this.#load(this.#instance++));
		try {
			return { value: run(await module) };
		} catch (error) {
			if (module === this.#module) this.#module = undefined;
			return { failure: describeFailure(error) };
		}
	}
}

function describeFailure(error: unknown): Diagnostic {
	const message = error instanceof Error ? error.message : String(error);
	return {
		code: 'core-failed',
		severity: 'warning',
		pointer: '',
		message: `the validator failed in this browser (${message})`,
		help: 'the server checks the document when you save it'
	};
}

/** Loads a module by the addresses of its script and its binary. Each instance is a separate module, so that a trap affects only that instance. */
export async function loadWasm<M>(script: string | undefined, binary: string | undefined, instance: number): Promise<M> {
	if (script === undefined || binary === undefined) throw new Error('the WebAssembly module is not built; run `cargo xtask build`');
	const module = (await import(/* @vite-ignore */ `${script}?instance=${instance}`)) as M & {
		default(source: { module_or_path: string }): Promise<unknown>;
	};
	await module.default({ module_or_path: binary });
	return module;
}

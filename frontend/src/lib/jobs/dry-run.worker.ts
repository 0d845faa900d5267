/** Worker for dry runs. Loads the module on the first task and performs one task at a time. */
import type { DryRunAnswer, DryRunTask } from './dry-run.ts';

interface DryRunModule {
	default(source: { module_or_path: string }): Promise<unknown>;
	dry_run(workflow: string, catalog: string, input: string, mocks: string, options: string): string;
}

const glue = import.meta.glob<string>('../wasm/pkg-dry-run/apiflow_wasm_dry_run.js', {
	query: '?url',
	import: 'default',
	eager: true
});
const binary = import.meta.glob<string>('../wasm/pkg-dry-run/apiflow_wasm_dry_run_bg.wasm', {
	query: '?url',
	import: 'default',
	eager: true
});

async function load(): Promise<DryRunModule> {
	const [script] = Object.values(glue);
	const [wasm] = Object.values(binary);
	if (script === undefined || wasm === undefined) throw new Error('the WebAssembly module is not built; run `cargo xtask build`');
	const module = (await import(/* @vite-ignore */ script)) as DryRunModule;
	await module.default({ module_or_path: wasm });
	return module;
}

let module: Promise<DryRunModule> | undefined;

async function answer({ texts }: DryRunTask): Promise<DryRunAnswer> {
	try {
		return { text: (await (module ??= load())).dry_run(...texts) };
	} catch (error) {
		return { failure: error instanceof Error ? error.message : String(error) };
	}
}

self.onmessage = async ({ data }: MessageEvent<DryRunTask>) => self.postMessage(await answer(data));

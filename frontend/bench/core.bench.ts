import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type World } from '../e2e/fixtures.ts';
import { branchedWorkflow, straightWorkflow } from '../e2e/large-workflows.ts';
import { report } from './report.ts';
import { median } from './statistics.ts';

const world: World = { connector: 'c', node: 'n', workflow: 'w', unique: 'bench' };
const FOLDER = process.env.APIFLOW_WASM_PKG ?? join(import.meta.dirname, '../src/lib/wasm/pkg');

/** What is measured of the WebAssembly module. */
interface CoreModule {
	default(source: { module_or_path: string }): Promise<unknown>;
	CatalogHandle: new (catalog: string) => { check(text: string, pointer: string): string };
}

const catalog = (workflows: Record<string, unknown>) => ({
	connectors: { c: { id: 'c', name: 'C', base_url: 'https://api.example/v1', method: 'POST' } },
	nodes: {
		n: {
			id: 'n',
			name: 'N',
			connector_id: 'c',
			input: [{ name: 'prompt', type: 'string', required: true }, { name: 'input_image', type: 'string', required: true }],
			output: [{ name: 'output_image', type: 'string', mapping: 'output' }],
			data: { path: '/x' }
		}
	},
	workflows
});

const saved = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`saved_${index}`, straightWorkflow(world, 'saved', 20).nodes]));

const rows: [name: string, document: unknown, workflows: Record<string, unknown>, target: number][] = [
	['validate + layout, 200 steps in sequence', straightWorkflow(world, 'w', 200).nodes, {}, 5],
	['validate + layout, 200 steps with loops and branches', branchedWorkflow(world, 'w', 200).nodes, {}, 5],
	['validate + layout, 2 steps beside 300 saved workflows', straightWorkflow(world, 'w', 2).nodes, saved, 2]
];

for (const [name, document, workflows, target] of rows) {
	test(name, async ({ admin }) => {
		await admin.route('**/page-bench-wasm/**', (route) => {
			const file = new URL(route.request().url()).pathname.split('/').at(-1)!;
			const contentType = file.endsWith('.wasm') ? 'application/wasm' : 'text/javascript';
			return route.fulfill({ contentType, body: readFileSync(join(FOLDER, file)) });
		});
		await admin.route('**/page-bench-blank', (route) => route.fulfill({ contentType: 'text/html', body: '<title>Bench</title>' }));
		await admin.goto('/page-bench-blank');
		const times = await admin.evaluate(
			async ({ text, catalog }) => {
				const core = (await import(`${location.origin}/page-bench-wasm/apiflow_wasm.js`)) as CoreModule;
				await core.default({ module_or_path: `${location.origin}/page-bench-wasm/apiflow_wasm_bg.wasm` });
				const measured: { core: number[]; floor: number[] } = { core: [], floor: [] };
				const handle = new core.CatalogHandle(catalog);
				for (let turn = 0; turn < 60; turn++) {
					const start = performance.now();
					JSON.parse(handle.check(text, ''));
					const middle = performance.now();
					JSON.parse(text);
					measured.floor.push(performance.now() - middle);
					measured.core.push(middle - start);
				}
				return measured;
			},
			{ text: JSON.stringify(document), catalog: JSON.stringify(catalog(workflows)) }
		);
		report({ name, quantity: 'ms, median', value: median(times.core), floor: median(times.floor), target });
	});
}

import adapter from '@sveltejs/adapter-static';
import { sveltekit } from '@sveltejs/kit/vite';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vitest/config';
import { CHUNK_NAMES, ChunkGroups, type ModuleGraph } from './bundle/chunk-groups.ts';
import { weighPages } from './bundle/weight-plugin.ts';

/** URL of the server for `npm run dev` and `npm run preview`. */
const server = process.env.APIFLOW_URL ?? 'http://localhost:8000';
const proxy = { '/api': { target: server }, '/healthz': { target: server }, '/docs': { target: server } };

type Build = { getModuleInfo: ModuleGraph };
/** Rules for the modules of each build: there is one for the browser, and one that SvelteKit uses itself. */
const rules = new WeakMap<Build, ChunkGroups>();

function rulesOf(build: Build): ChunkGroups {
	const known = rules.get(build) ?? new ChunkGroups((id) => build.getModuleInfo(id));
	rules.set(build, known);
	return known;
}

/** Chunks that several pages share. An earlier one gets what the later ones need, too. */
const chunks = CHUNK_NAMES.map((chunk, index) => ({
	name: (id: string, build: Build) => (rulesOf(build).chunkOf(id) === chunk ? chunk : null),
	debugName: chunk,
	priority: CHUNK_NAMES.length - index
}));

/** KiB that pages may load before anything is done on them, without WebAssembly and replies of the API. */
const budgets = { '(app)/connectors': 110, '(app)/jobs': 140, '(app)/jobs/[id]': 260, '(app)/workflows/[id]': 385, login: 100 };

export default defineConfig(({ mode }) => ({
	plugins: [
		tailwindcss(),
		weighPages({ budgets, isDetailed: mode === 'weight' }),
		sveltekit({
			compilerOptions: { runes: true },
			adapter: adapter({ pages: '../apiflow-server/page', assets: '../apiflow-server/page', fallback: 'index.html', precompress: true }),
			typescript: {
				config: (config) => {
					config.include.push('../e2e/**/*.ts', '../bench/**/*.ts', '../bundle/**/*.ts', '../screenshots/**/*.ts', '../playwright.config.ts');
				}
			},
			csp: {
				mode: 'hash',
				directives: {
					'default-src': ['self'],
					// Allows WebAssembly, but no other code evaluation.
					'script-src': ['self', 'wasm-unsafe-eval'],
					// CodeMirror and Svelte Flow set inline styles.
					'style-src': ['self', 'unsafe-inline'],
					'img-src': ['self', 'https:', 'data:', 'blob:'],
					'media-src': ['self', 'https:', 'data:', 'blob:'],
					'connect-src': ['self'],
					'object-src': ['none'],
					'base-uri': ['none'],
					'form-action': ['self']
				}
			}
		})
	],
	build: {
		target: 'es2023',
		// Inlining is off because the policy above forbids `data:` scripts.
		assetsInlineLimit: 0,
		rolldownOptions: { output: { codeSplitting: { groups: chunks } } }
	},
	server: { host: '127.0.0.1', proxy },
	preview: { host: '127.0.0.1', proxy },
	test: { include: ['src/**/*.test.ts', 'bench/**/*.test.ts', 'bundle/**/*.test.ts', 'screenshots/**/*.test.ts'], environment: 'node' }
}));

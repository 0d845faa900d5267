import adapter from '@sveltejs/adapter-static';
import { sveltekit } from '@sveltejs/kit/vite';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vitest/config';

/** Where `npm run dev` and `npm run preview` find a running server. */
const server = process.env.APIFLOW_URL ?? 'http://localhost:8000';
const proxy = { '/api': { target: server } };

export default defineConfig({
	plugins: [
		tailwindcss(),
		sveltekit({
			compilerOptions: { runes: true },
			adapter: adapter({ pages: 'build', assets: 'build', fallback: 'index.html', precompress: true }),
			typescript: {
				config: (config) => {
					config.include.push('../e2e/**/*.ts', '../playwright.config.ts');
				}
			},
			csp: {
				mode: 'hash',
				directives: {
					'default-src': ['self'],
					// The core is WebAssembly; nothing else may be evaluated.
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
	// Nothing is inlined: the policy above allows no `data:` scripts.
	build: { target: 'es2023', assetsInlineLimit: 0 },
	server: { host: '127.0.0.1', proxy },
	preview: { host: '127.0.0.1', proxy },
	test: { include: ['src/**/*.test.ts'], environment: 'node' }
});

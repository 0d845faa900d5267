import { expect, it } from 'vitest';
import { HEADER_BYTES, listSources, sourceOf, weighPage, type BuiltFiles } from './page-weight.ts';

const modules = (...ids: string[]) => Object.fromEntries(ids.map((id) => [id, 100]));
const FILES: BuiltFiles = {
	'page.js': { size: 10, needs: ['shared.js', 'page.css'], modules: modules('/apiflow/src/routes/(app)/jobs/+page.svelte') },
	'page.css': { size: 5, needs: [], modules: {} },
	'shared.js': { size: 60, needs: ['page.js'], modules: modules('/apiflow/node_modules/svelte/src/a.js', '/apiflow/node_modules/svelte/src/b.js', '/apiflow/src/lib/jobs/jobs.ts') },
	'dialog.js': { size: 400, needs: ['shared.js'], modules: modules('/apiflow/src/lib/components/ui/Modal.svelte') }
};

it('adds up each file that a page needs once, with its headers', () => {
	expect(weighPage(FILES, ['page.js'])).toEqual({ files: ['page.css', 'page.js', 'shared.js'], bytes: 75 + 3 * HEADER_BYTES });
});

it('shares the size of a file among the packages and folders inside', () => {
	expect(listSources(FILES, weighPage(FILES, ['page.js']))).toEqual([
		['svelte', 40],
		['src/lib/jobs', 20],
		['src/routes', 10]
	]);
});

it.each([
	['/apiflow/frontend/node_modules/@codemirror/view/dist/index.js', '@codemirror/view'],
	['/apiflow/frontend/node_modules/svelte-sonner/node_modules/runed/dist/index.js', 'runed'],
	['/apiflow/frontend/src/lib/components/editor/StepPanel.svelte', 'src/lib/components/editor'],
	['/apiflow/frontend/src/lib/editor/pointers.ts', 'src/lib/editor'],
	['/apiflow/frontend/src/lib/format.ts', 'src/lib'],
	['/apiflow/frontend/src/routes/login/+page.svelte', 'src/routes'],
	['_app/immutable/assets/0.B7Xq.css', 'styles'],
	['\0vite/preload-helper.js', 'generated']
])('names the source of %s', (id, expected) => expect(sourceOf(id)).toBe(expected));

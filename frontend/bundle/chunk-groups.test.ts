import { describe, expect, it } from 'vitest';
import { ChunkGroups, type ModuleGraph } from './chunk-groups.ts';

const SRC = '/apiflow/frontend/src';
const PACKAGES = '/apiflow/frontend/node_modules';
const ROOT = `${SRC}/routes/+layout.svelte`;
const APP = `${SRC}/routes/(app)/+layout.svelte`;
const list = (name: string) => `${SRC}/routes/(app)/${name}/+page.svelte`;
const details = (name: string) => `${SRC}/routes/(app)/${name}/[id]/+page.svelte`;

/** Builds a graph from the modules that each module imports. */
function graphOf(imports: Record<string, string[]>): ModuleGraph {
	return (id) => ({
		importedIds: imports[id] ?? [],
		importers: Object.keys(imports).filter((importer) => imports[importer]?.includes(id))
	});
}

describe('ChunkGroups', () => {
	const module = `${SRC}/lib/components/ui/Thing.svelte`;
	const check = (importers: string[], expected: string | null, own: string[] = [], subject = module) =>
		expect(new ChunkGroups(graphOf({ ...Object.fromEntries(importers.map((importer) => [importer, [subject]])), [subject]: own })).chunkOf(subject)).toBe(expected);

	it.each<[string, string[], string | null]>([
		['the root layout', [ROOT, details('jobs')], 'base'],
		['the layout of the app', [APP, list('jobs')], 'app'],
		['most lists', [list('jobs'), list('nodes'), list('secrets')], 'lists'],
		['one list, the editor of workflows and another page of a document', [list('jobs'), details('jobs'), details('workflows')], 'common'],
		['the editor of workflows and another page of a document', [details('jobs'), details('workflows')], 'documents'],
		['pages of documents other than the editor', [details('jobs'), `${SRC}/routes/(app)/jobs/[id]/rerun/+page.svelte`], null],
		['two lists', [list('jobs'), list('nodes')], null],
		['one page', [details('workflows')], null]
	])('a module that %s import', (_, importers, expected) => check(importers, expected));

	it('counts pages that import it through other modules', () => {
		const [middle, far] = [`${SRC}/lib/middle.ts`, `${SRC}/lib/far.ts`];
		const graph = graphOf({ [APP]: [middle], [middle]: [far] });
		expect(new ChunkGroups(graph).chunkOf(far)).toBe('app');
	});

	it('leaves what needs a large package where it is needed', () => {
		const [dialog, bits] = [`${SRC}/lib/Dialog.svelte`, `${PACKAGES}/bits-ui/dist/index.js`];
		check([ROOT], null, [bits]);
		const graph = graphOf({ [ROOT]: [module], [module]: [dialog], [dialog]: [bits] });
		expect(new ChunkGroups(graph).chunkOf(module)).toBe(null);
		expect(new ChunkGroups(graph).chunkOf(bits)).toBe(null);
	});

	it('keeps what dialogs are made of together', () => {
		check([APP], 'dialogs', [`${PACKAGES}/bits-ui/dist/index.js`], `${SRC}/lib/components/ui/Modal.svelte`);
		check([], 'dialogs', [], `${PACKAGES}/bits-ui/dist/bits/dialog/dialog.svelte.js`);
		check([], null, [], `${PACKAGES}/bits-ui/dist/internal/floating-svelte/use-floating.svelte.js`);
	});

	it('does not fail on modules that import each other', () => {
		const [a, b] = [`${SRC}/lib/a.ts`, `${SRC}/lib/b.ts`];
		const graph = graphOf({ [ROOT]: [a], [a]: [b], [b]: [a] });
		expect(new ChunkGroups(graph).chunkOf(b)).toBe('base');
	});
});

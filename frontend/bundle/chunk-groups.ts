/** What the rules need to know of a module: a part of what the bundler knows. */
export interface ModuleLinks {
	/** Modules that import it statically. */
	importers: readonly string[];
	/** Modules that it imports statically. */
	importedIds: readonly string[];
}

/** Returns the links of a module by its id. */
export type ModuleGraph = (id: string) => ModuleLinks | null;

/**
 * Chunks that several pages share: what every page needs, what every page of a logged-in user needs, what most lists need, what
 * the editor of workflows has in common with some lists and other pages of documents, or only with the latter, and what dialogs need.
 */
export const CHUNK_NAMES = ['base', 'app', 'lists', 'common', 'documents', 'dialogs'] as const;
export type ChunkName = (typeof CHUNK_NAMES)[number];

/** Modules that may be moved: the page's own, and those of packages that every page uses. */
const MOVABLE = /\/src\/lib\/.*\.(ts|svelte)$|\/node_modules\/(svelte|@sveltejs\/kit|@tanstack|openapi-fetch|svelte-sonner|@lucide)\/|^\0(vite|rolldown)\//;
/** Packages that stay with what needs them, with all that imports them: those of dialogs, menus, texts and graphs. */
const LARGE_PACKAGES = /\/node_modules\/(bits-ui|@codemirror|@lezer|@xyflow|jsonc-parser)\//;

/** What dialogs need, without menus and other things that float beside a button. */
const DIALOGS = /\/bits-ui\/dist\/(bits\/(dialog|alert-dialog)\/|internal\/(?!floating-svelte|safe-polygon))|\/node_modules\/svelte-toolbelt\/|\/ui\/Modal\.svelte$/;

const ROOTS = /\/src\/routes\/\+layout\.svelte$|\/kit\/src\/runtime\/client\/entry\.js$|\/generated\/root\.svelte$/;
const APP_LAYOUT = /\/src\/routes\/\(app\)\/\+layout\.svelte$/;
const LIST_PAGE = /\/src\/routes\/\(app\)\/[a-z]+\/\+page\.svelte$/;
const DOCUMENT_PAGE = /\/src\/routes\/\(app\)\/[a-z]+\/\[id\]\/.*\+page\.svelte$/;

const EDITOR = /\/src\/routes\/\(app\)\/workflows\/\[id\]\/\+page\.svelte$/;

/** Number of lists that share a module before all of them load it. */
const MIN_LIST_PAGES = 3;
/** Number of pages of one document or job that share a module before all of them load it. */
const MIN_DOCUMENT_PAGES = 2;
/**
 * Chooses the chunks of modules that several pages share. Without it, each set of modules that are used by the same pages becomes
 * a file: more than fifty for a list, of which most have fewer bytes than the headers of their reply.
 */
export class ChunkGroups {
	readonly #graph: ModuleGraph;
	readonly #isLight = new Map<string, boolean>();

	/** Creates the rules for the modules of one build. */
	constructor(graph: ModuleGraph) {
		this.#graph = graph;
	}

	/** Returns the name of a module's chunk; null if the bundler decides. */
	chunkOf(id: string): ChunkName | null {
		if (DIALOGS.test(id)) return 'dialogs';
		if (!MOVABLE.test(id) || !this.#checkLight(id)) return null;
		const users = this.#findUsers(id);
		const count = (pattern: RegExp) => users.filter((user) => pattern.test(user)).length;
		if (count(ROOTS) > 0 || id.startsWith('\0')) return 'base';
		if (count(APP_LAYOUT) > 0) return 'app';
		const [lists, documents] = [count(LIST_PAGE), count(DOCUMENT_PAGE)];
		if (lists >= MIN_LIST_PAGES) return 'lists';
		if (documents < MIN_DOCUMENT_PAGES || count(EDITOR) === 0) return null;
		return lists > 0 ? 'common' : 'documents';
	}

	/** Returns whether a module needs no package that only some pages load: a chunk contains all that its modules need. */
	#checkLight(id: string): boolean {
		const known = this.#isLight.get(id);
		if (known !== undefined) return known;
		this.#isLight.set(id, true);
		const isLight = !LARGE_PACKAGES.test(id) && (this.#graph(id)?.importedIds ?? []).every((imported) => this.#checkLight(imported));
		this.#isLight.set(id, isLight);
		return isLight;
	}

	/** Returns the layouts and pages that a module is loaded with. */
	#findUsers(id: string): string[] {
		const found = new Set([id]);
		for (const each of found) for (const importer of this.#graph(each)?.importers ?? []) found.add(importer);
		return [...found].filter((each) => /\/src\/routes\/|\/entry\.js$|\/root\.svelte$/.test(each));
	}
}

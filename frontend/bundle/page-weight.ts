/** A file of the build: a chunk or a stylesheet. */
export interface BuiltFile {
	/** Bytes after compression. */
	size: number;
	/** Files that are loaded with it. */
	needs: readonly string[];
	/** Bytes of its modules before they were minified, by module id. */
	modules: Readonly<Record<string, number>>;
}

/** The files of a build by name. */
export type BuiltFiles = Readonly<Record<string, BuiltFile>>;

/** What one page loads before anything is done on it. */
export interface PageWeight {
	/** Files in alphabetical order. */
	files: string[];
	/** Bytes over the network, headers included. */
	bytes: number;
}

/** Bytes of the headers of a reply with one file. */
export const HEADER_BYTES = 640;

/** Adds up the files that a page loads: its entries, and all that they need. */
export function weighPage(files: BuiltFiles, entries: readonly string[]): PageWeight {
	const loaded = new Set(entries);
	for (const file of loaded) for (const needed of files[file]?.needs ?? []) loaded.add(needed);
	const found = [...loaded].filter((file) => files[file]).sort();
	return { files: found, bytes: found.reduce((sum, file) => sum + (files[file]?.size ?? 0) + HEADER_BYTES, 0) };
}

/** Returns the package of a module, or the folder of one of the page's own; `styles` for stylesheets. */
export function sourceOf(id: string): string {
	if (id.endsWith('.css')) return 'styles';
	const [, name] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id) ?? [];
	return name ?? (/\/(src\/(?:lib\/components\/[^/]+|lib\/[^/]+\/|lib|routes))/.exec(id)?.[1] ?? 'generated').replace(/\/$/, '');
}

/** Shares the bytes of a page's files among packages and folders, by the size of their modules; the largest first. */
export function listSources(files: BuiltFiles, page: PageWeight): [source: string, bytes: number][] {
	const found = new Map<string, number>();
	for (const { size, modules } of page.files.flatMap((file) => files[file] ?? [])) {
		const total = Object.values(modules).reduce((sum, length) => sum + length, 0);
		for (const [id, length] of Object.entries(modules)) {
			const source = sourceOf(id);
			found.set(source, (found.get(source) ?? 0) + (size * length) / (total || 1));
		}
	}
	return [...found].sort(([, a], [, b]) => b - a);
}

import { brotliCompressSync } from 'node:zlib';
import type { Plugin } from 'vite';
import { listSources, weighPage, type BuiltFile } from './page-weight.ts';

const KIB = 1024;
/** Packages and folders that are listed for each page. */
const LISTED_SOURCES = 20;

interface Options {
	/** KiB that a page may load before anything is done on it, by its folder below `src/routes`. */
	budgets: Readonly<Record<string, number>>;
	/** Whether the largest packages and folders in each page are listed. */
	isDetailed: boolean;
}

/** A file that is compressed when its size is needed first. */
class CompressedFile implements BuiltFile {
	#size: number | undefined;
	readonly #content: string | Uint8Array;
	readonly needs: readonly string[];
	readonly modules: Readonly<Record<string, number>>;

	constructor(content: string | Uint8Array, needs: readonly string[], modules: Readonly<Record<string, number>>) {
		this.#content = content;
		this.needs = needs;
		this.modules = modules;
	}

	get size(): number {
		return (this.#size ??= brotliCompressSync(this.#content).length);
	}
}

/** Weighs the pages of a build, compressed and with the headers of their files, and fails if one is heavier than its budget. */
export function weighPages({ budgets, isDetailed }: Options): Plugin {
	return {
		name: 'weigh-pages',
		apply: 'build',
		enforce: 'post',
		generateBundle(_, bundle) {
			const chunks = Object.values(bundle).filter((file) => file.type === 'chunk');
			if (!chunks.some(({ name }) => name === 'entry/start')) return;
			const files: Record<string, BuiltFile> = {};
			for (const chunk of chunks) {
				const styles = [...(chunk.viteMetadata?.importedCss ?? [])];
				const modules = Object.fromEntries(Object.entries(chunk.modules).map(([id, { renderedLength }]) => [id, renderedLength]));
				files[chunk.fileName] = new CompressedFile(chunk.code, [...chunk.imports, ...styles], modules);
				for (const style of styles) {
					const asset = bundle[style];
					if (asset?.type === 'asset') files[style] = new CompressedFile(asset.source, [], { [style]: 1 });
				}
			}
			/** Files of the pages, layouts and scripts with such a module or name. */
			const entriesOf = (...modules: string[]) =>
				chunks.filter(({ name, isEntry, facadeModuleId }) => isEntry && (modules.includes(name) || this.getModuleInfo(facadeModuleId ?? '')?.importedIds.some((id) => modules.some((module) => id.endsWith(`/src/routes/${module}`))))).map(({ fileName }) => fileName);
			const excess: string[] = [];
			const lines = Object.entries(budgets).flatMap(([folder, budget]) => {
				const layouts = folder.startsWith('(app)') ? ['+layout.svelte', '(app)/+layout.svelte'] : ['+layout.svelte'];
				const [page] = entriesOf(`${folder}/+page.svelte`);
				if (!page) this.error(`there is no page in src/routes/${folder}, which has a budget in vite.config.ts`);
				const weight = weighPage(files, [page, ...entriesOf('entry/start', 'entry/app', '+error.svelte', ...layouts)]);
				const name = folder.replace('(app)', '');
				const kib = weight.bytes / KIB;
				if (kib > budget) excess.push(`${name} loads ${kib.toFixed(1)} KiB, its budget is ${budget}`);
				const sources = isDetailed ? listSources(files, weight).slice(0, LISTED_SOURCES) : [];
				return [`${kib.toFixed(1).padStart(7)} of ${budget} KiB in ${weight.files.length} files  ${name}`, ...sources.map(([source, bytes]) => `${(bytes / KIB).toFixed(1).padStart(13)}  ${source}`)];
			});
			this.info(`what pages load:\n${lines.join('\n')}`);
			if (excess.length > 0) this.error(`${excess.join('; ')}: \`npm run weight\` lists what is inside; import what is needed later only then, or raise the budget in vite.config.ts`);
		}
	};
}

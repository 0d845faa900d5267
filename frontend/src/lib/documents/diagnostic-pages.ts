const files = import.meta.glob<string>('../../../../docs/errors/*.md', { query: '?raw', import: 'default', eager: true });

/** The pages that explain each code of a diagnostic, in Markdown. The module is large: import it only when a page is shown. */
export const PAGES: ReadonlyMap<string, string> = new Map(
	Object.entries(files).flatMap(([path, text]) => {
		const code = /([\w-]+)\.md$/.exec(path)?.[1];
		return code && code !== 'README' ? [[code, text]] : [];
	})
);

/** Fetches the page that explains a code of a diagnostic, in Markdown; null if there is none. */
export async function fetchDiagnosticPage(code: string): Promise<string | null> {
	const { PAGES } = await import('#lib/documents/diagnostic-pages.ts');
	return PAGES.get(code) ?? null;
}

/** The text of a page without its title and examples: what the code means, and how to fix it. */
export function summarizePage(page: string): string {
	const [about = '', ...sections] = page.replace(/^# .*\n/, '').split(/^## .*\n/m);
	const prose = (text: string) => text.replaceAll(/^```[\s\S]*?^```$/gm, '').trim();
	const fix = sections.at(-1) ?? '';
	return [prose(about), prose(fix) && `**How to fix it:** ${prose(fix)}`].filter(Boolean).join('\n\n');
}

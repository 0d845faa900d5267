import { describe, expect, it } from 'vitest';
import { fetchDiagnosticPage, summarizePage } from './diagnostic-docs.ts';
import { PAGES } from './diagnostic-pages.ts';

describe('pages of diagnostics', () => {
	it('are found by their code', async () => {
		expect(await fetchDiagnosticPage('duplicate-key')).toMatch(/^# duplicate-key/);
		expect(await fetchDiagnosticPage('README')).toBeNull();
	});
	it.each([...PAGES])('are summarized without examples: %s', (code, page) => {
		const summary = summarizePage(page);
		expect(summary).not.toContain('```');
		expect(summary).not.toContain(`# ${code}`);
		expect(summary.length).toBeGreaterThan(20);
	});
	it('say how to fix it', () => {
		expect(summarizePage(PAGES.get('duplicate-key')!)).toContain('**How to fix it:** Remove one of the two.');
	});
});

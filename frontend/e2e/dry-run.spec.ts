import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, type Page } from '@playwright/test';

/** URL of the built dry-run worker. */
function worker(): string {
	const folder = '_app/immutable/workers';
	const file = readdirSync(join(import.meta.dirname, '../../apiflow-server/page', folder)).find((name) => /^dry-run\.worker-[^.]*\.js$/.test(name));
	if (file === undefined) throw new Error('the page was built without its dry-run worker');
	return `/${folder}/${file}`;
}

/** Runs tasks one after the other in a new worker in the page, and returns its answers. */
function answers(page: Page, tasks: unknown[][]): Promise<{ text?: string; failure?: string }[]> {
	const texts = tasks.map((values) => values.map((value) => JSON.stringify(value)));
	return page.evaluate(
		async ({ address, texts }) => {
			const worker = new Worker(address, { type: 'module' });
			const found: { text?: string; failure?: string }[] = [];
			for (const task of texts) {
				found.push(
					await new Promise((resolve, reject) => {
						worker.onmessage = ({ data }) => resolve(data as { text?: string; failure?: string });
						worker.onerror = ({ message }) => reject(new Error(message || 'the worker did not start'));
						worker.postMessage({ texts: task });
					})
				);
			}
			worker.terminate();
			return found;
		},
		{ address: worker(), texts }
	);
}

const catalog = {
	connectors: { c: { id: 'c', name: 'C', base_url: 'https://c.test', method: 'POST', header: { Authorization: 'Bearer $KEY' } } },
	nodes: { n: { id: 'n', name: 'N', connector_id: 'c', data: { path: '/n' }, output: [{ name: 'image', type: 'image' }] } },
	workflows: {}
};

const step = (id: string, expr: string) => ({
	id,
	value: { type: 'script', path: 'node/n', input_transforms: { x: { type: 'javascript', expr } } }
});

const document = (expr: string) => ({ summary: '', value: { modules: [step('a', expr)] } });

interface Report {
	status: string;
	error: { message: string } | null;
	steps: { requests: { request: { url: string; headers: Record<string, string>; body: unknown } }[] }[];
}

const report = (answer: { text?: string } | undefined) => (JSON.parse(answer?.text ?? '{}') as { report: Report }).report;

test('a dry run works in the browser, and nothing is sent', async ({ page }) => {
	const sent: string[] = [];
	page.on('request', (request) => sent.push(new URL(request.url()).host));
	await page.goto('/');
	const [answer] = await answers(page, [[document('flow_input.x.toUpperCase()'), catalog, { x: 'fox' }, {}, {}]]);
	const found = report(answer);
	expect(found.status).toBe('completed');
	expect(found.steps[0]?.requests[0]?.request).toMatchObject({
		url: 'https://c.test/n',
		headers: { Authorization: 'Bearer $KEY' },
		body: { x: 'FOX' }
	});
	expect(sent).not.toContain('c.test');
});

test('a trap is reported', async ({ page }) => {
	await page.goto('/');
	const [trapped] = await answers(page, [[document("'x'.repeat(1e9)"), catalog, {}, {}, {}]]);
	expect(trapped?.failure).toContain('unreachable');
});

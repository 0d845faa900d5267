import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test as base, expect, type Page } from '@playwright/test';
import { credentials, Rest } from '../e2e/fixtures.ts';
import { GROUPS, type Exhibits, type Scene } from '../e2e/scenes.ts';
import type { LoginReply } from '../e2e/types.ts';
import { LARGE, prepareDemo } from './demo.ts';
import { folder } from './folder.ts';

const test = base.extend<object, { exhibits: Exhibits }>({
	exhibits: [
		async ({ playwright }, use) => {
			const request = await playwright.request.newContext({ baseURL: process.env.APIFLOW_URL });
			const reply = await request.post('/api/v1/login', { data: credentials() });
			expect(reply.ok(), await reply.text()).toBe(true);
			const { token } = (await reply.json()) as LoginReply;
			await use(await prepareDemo(new Rest(request, token)));
			await request.dispose();
		},
		{ scope: 'worker', timeout: 180_000 }
	]
});

/** Opens the editor of a large workflow. */
const large = (name: string, id: string): Scene => ({
	name,
	open: async (page: Page) => {
		await page.goto(`/workflows/${id}`);
		await expect(page.locator('.svelte-flow__node-card').first()).toBeVisible();
		await expect(page.getByRole('textbox', { name: 'Description' })).toBeVisible();
	}
});

const scenes: readonly Scene[] = [...GROUPS.flatMap(([, group]) => group), large('editor-20-steps', LARGE.twenty), large('editor-200-steps', LARGE.sequence), large('editor-200-steps-branches', LARGE.branches)];

for (const scene of scenes) {
	test(scene.name, async ({ page, exhibits }, info) => {
		const reply = await page.request.post('/api/v1/login', { data: credentials() });
		expect(reply.ok(), await reply.text()).toBe(true);
		await scene.open(page, exhibits);
		const target = join(folder(), info.project.name);
		mkdirSync(target, { recursive: true });
		// Thumbnails and fonts load after the page.
		await page.waitForLoadState('networkidle', { timeout: 3000 }).catch(() => null);
		await page.screenshot({ path: join(target, `${scene.name}.png`), animations: 'disabled' });
	});
}

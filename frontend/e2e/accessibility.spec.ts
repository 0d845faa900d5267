import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { expect, PICTURE, test, workflow, type Rest } from './fixtures.ts';

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

async function check(page: Page): Promise<void> {
	const { violations } = await new AxeBuilder({ page }).withTags(TAGS).analyze();
	expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join('\n')}`)).toEqual([]);
}

/** Every page by its heading; a job that failed and a workflow with findings among them. */
async function pages(rest: Rest): Promise<[path: string, heading: string | RegExp][]> {
	const world = await rest.world();
	const done = await rest.run(world.workflow, { input_image: PICTURE });
	await rest.standIn({ end: 'failed' });
	const failed = await rest.run(world.workflow, { input_image: PICTURE });
	await rest.standIn({ end: 'succeeded' });
	const broken = structuredClone(workflow(world));
	broken.id = `broken_${world.unique}`;
	broken.nodes.value.modules[0]!.value.path = 'node/no_such_node';
	await rest.call('POST', '/workflows', broken);
	return [
		['/workflows', 'Workflows'],
		[`/workflows/${world.workflow}`, /Cartoon/],
		[`/workflows/${broken.id}`, /Cartoon/],
		[`/workflows/${world.workflow}/run`, /Run Cartoon/],
		['/nodes', 'Nodes'],
		[`/nodes/${world.node}`, /Flux/],
		[`/nodes/${world.node}/run`, /Run Flux/],
		['/connectors', 'Connectors'],
		[`/connectors/${world.connector}`, /Replicate/],
		['/new/connector', 'New connector'],
		['/new/workflow', 'New workflow'],
		['/jobs', 'Jobs'],
		['/jobs?status=suspended', 'Jobs'],
		[`/jobs/${done.id}`, /Cartoon/],
		[`/jobs/${failed.id}`, /Cartoon/],
		['/users', 'Users'],
		['/account', 'Account']
	];
}

for (const colorScheme of ['light', 'dark'] as const) {
	test.describe(colorScheme, () => {
		test.use({ colorScheme });

		test('every page meets WCAG 2.2 AA', async ({ admin, rest }) => {
			test.setTimeout(180_000);
			for (const [path, heading] of await pages(rest)) {
				await test.step(path, async () => {
					await admin.goto(path);
					await expect(admin.getByRole('heading', { level: 1, name: heading })).toBeVisible();
					if (/^\/(new\/)?workflows?(\/[^/]+)?$/.test(path) && path !== '/workflows') {
						await expect(admin.locator('.svelte-flow__node').first()).toBeVisible();
					}
					await check(admin);
				});
			}
		});

		test('menus, dialogs, open steps and the log-in page meet WCAG 2.2 AA', async ({ admin, rest, context }) => {
			const world = await rest.world();
			const job = await rest.run(world.workflow, { input_image: PICTURE });
			await admin.goto(`/jobs/${job.id}`);
			await admin.getByRole('list', { name: 'Steps' }).locator('summary').first().click();
			await admin.getByRole('tab', { name: 'Calls' }).click();
			await admin.getByText('submit', { exact: true }).click();
			await check(admin);
			await admin.getByRole('button', { name: 'Delete' }).click();
			await expect(admin.getByRole('alertdialog')).toBeVisible();
			await check(admin);
			await admin.keyboard.press('Escape');
			await admin.getByRole('button', { name: /^Account of/ }).click();
			await expect(admin.getByRole('menuitem', { name: 'Log out' })).toBeVisible();
			await check(admin);
			await context.clearCookies();
			await admin.goto('/login');
			await expect(admin.getByRole('button', { name: 'Log in' })).toBeVisible();
			await check(admin);
		});
	});
}

test('nothing scrolls sideways on a phone', async ({ admin, rest }) => {
	await admin.setViewportSize({ width: 390, height: 844 });
	for (const [path, heading] of await pages(rest)) {
		await test.step(path, async () => {
			await admin.goto(path);
			await expect(admin.getByRole('heading', { level: 1, name: heading })).toBeVisible();
			expect(await admin.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
		});
	}
});

test('a job is reached, opened and left with the keyboard alone', async ({ admin, rest }) => {
	const world = await rest.world();
	const job = await rest.run(world.workflow, { input_image: PICTURE });
	await admin.goto('/jobs');
	await expect(admin.getByRole('list', { name: 'Jobs' })).toBeVisible();
	await admin.keyboard.press('Tab');
	await expect(admin.getByRole('link', { name: 'Skip to content' })).toBeFocused();
	await admin.keyboard.press('Enter');
	await admin.keyboard.press('Tab');
	await expect(admin.getByLabel('Status')).toBeFocused();
	await admin.keyboard.press('Tab');
	await admin.keyboard.press('Enter');
	await expect(admin).toHaveURL(`/jobs/${job.id}`);
	await admin.locator('summary').first().focus();
	await admin.keyboard.press('Enter');
	await expect(admin.getByRole('tab', { name: 'Output' })).toBeVisible();
	await admin.keyboard.press('Tab');
	await expect(admin.getByRole('tab', { name: 'Output' })).toBeFocused();
	await admin.keyboard.press('ArrowRight');
	await expect(admin.getByRole('region', { name: 'Input of add_hat_step' })).toBeVisible();
});

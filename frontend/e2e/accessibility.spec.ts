import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { expect, expectRefusal, FORM, gated, PICTURE, test, unknownJob, workflow, type Rest } from './fixtures.ts';

const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

async function check(page: Page): Promise<void> {
	const { violations } = await new AxeBuilder({ page }).withTags(TAGS).analyze();
	expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join('\n')}`)).toEqual([]);
}

/** Waits for the approval forms, which load after the page. */
async function settled(page: Page): Promise<void> {
	const waiting = page.getByRole('region', { name: /^Approval for/ });
	if ((await page.getByRole('status').filter({ hasText: 'suspended' }).count()) === 0) return;
	await expect(waiting).toHaveCount(2);
	await expect(page.getByRole('button', { name: /^Approve/ })).toHaveCount(2);
}

/** Every page by its heading, including a failed job, suspended jobs and a workflow with problems. */
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
	const gates = [
		{ required_events: 1, resume_form: FORM },
		{ required_events: 2, timeout: 100_000 }
	];
	const waiting: string[] = [];
	for (const gate of gates) waiting.push((await rest.suspend(gated(world, gate), { pictures: [PICTURE, PICTURE] })).id);
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
		['/library', 'Library'],
		['/secrets', 'Secrets'],
		['/artifacts', 'Artifacts'],
		['/usage', 'Usage'],
		['/jobs', 'Jobs'],
		['/jobs?status=suspended', 'Jobs'],
		[`/jobs/${done.id}`, /Cartoon/],
		[`/jobs/${failed.id}`, /Cartoon/],
		[`/jobs/${failed.id}/rerun`, /^Run Cartoon .* again$/],
		...waiting.map((id): [string, RegExp] => [`/jobs/${id}`, /Gated/]),
		['/user', 'Users']
	];
}

for (const colorScheme of ['light', 'dark'] as const) {
	test.describe(colorScheme, () => {
		test.use({ colorScheme });

		test('every page meets WCAG 2.2 AA', async ({ admin, rest }) => {
			test.setTimeout(300_000);
			for (const [path, heading] of await pages(rest)) {
				await test.step(path, async () => {
					await admin.goto(path);
					await expect(admin.getByRole('heading', { level: 1, name: heading })).toBeVisible();
					if (/^\/workflows\/[^/]+$/.test(path)) {
						await expect(admin.locator('.svelte-flow__node').first()).toBeVisible();
					}
					await settled(admin);
					await check(admin);
				});
			}
		});

		test('menus, dialogs, open steps and the login page meet WCAG 2.2 AA', async ({ admin, rest, context }) => {
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
			await admin.getByRole('button', { name: /^Account menu for/ }).click();
			await expect(admin.getByRole('menuitem', { name: 'Log out' })).toBeVisible();
			await check(admin);
			await context.clearCookies();
			await admin.goto('/login');
			await expect(admin.getByRole('button', { name: 'Log in' })).toBeVisible();
			await check(admin);
		});

		test('run dialogs meet WCAG 2.2 AA', async ({ admin, rest, faults }) => {
			const unknown = await unknownJob(rest);
			await admin.goto(`/jobs/${unknown.id}`);
			await admin.getByRole('list', { name: 'Steps' }).locator('summary').first().click();
			await admin.getByRole('button', { name: 'Run again from here' }).click();
			await expect(admin.getByRole('alertdialog')).toBeVisible();
			await check(admin);
			expectRefusal(faults, 409);
			await openPartialRun(admin, (await rest.world()).workflow);
			await check(admin);
			await admin.getByRole('dialog').getByRole('button', { name: 'Run', exact: true }).click();
			await expect(admin.getByRole('dialog').getByRole('alert')).toBeVisible();
			await check(admin);
			expectRefusal(faults, 422);
			await admin.keyboard.press('Escape');
			await expect(admin.getByRole('dialog')).toHaveCount(0);
			await check(admin);
		});

		test('answered and invalid approval forms meet WCAG 2.2 AA', async ({ admin, rest }) => {
			const job = await rest.suspend(gated(await rest.world(), { required_events: 2, resume_form: FORM }), { pictures: [PICTURE, PICTURE] });
			await admin.goto(`/jobs/${job.id}`);
			await settled(admin);
			await admin.getByRole('button', { name: /^Approve ask, each #1/ }).click();
			await expect(admin.getByText('a value is required')).toBeVisible();
			await check(admin);
			await admin.getByLabel('note').first().fill('Add a tie');
			await admin.getByRole('button', { name: /^Approve ask, each #1/ }).click();
			await expect(admin.getByText(/^You approved/)).toBeVisible();
			await check(admin);
		});
	});
}

/** Opens the dialog that runs only the second step of a workflow, with invalid results of other steps. */
async function openPartialRun(page: Page, workflow: string): Promise<void> {
	await page.goto(`/workflows/${workflow}`);
	await page.getByRole('region', { name: 'Workflow graph' }).getByText('Make this a 90s cartoon').click();
	await page.getByRole('button', { name: 'Run only this step' }).click();
	await page.getByLabel('Results of other steps').fill('{"no_such_step": {}}');
}

test('dialogs fit on a phone', async ({ admin, rest, faults }) => {
	await admin.setViewportSize({ width: 390, height: 844 });
	const fits = async (role: 'dialog' | 'alertdialog') => {
		const box = (await admin.getByRole(role).boundingBox())!;
		expect([box.x >= 0, box.y >= 0, box.x + box.width <= 390, box.y + box.height <= 844]).toEqual([true, true, true, true]);
		expect(await admin.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
	};
	const unknown = await unknownJob(rest);
	await admin.goto(`/jobs/${unknown.id}`);
	await admin.getByRole('list', { name: 'Steps' }).locator('summary').first().click();
	await admin.getByRole('button', { name: 'Run again from here' }).click();
	await fits('alertdialog');
	expectRefusal(faults, 409);
	await openPartialRun(admin, (await rest.world()).workflow);
	await fits('dialog');
});

test('nothing scrolls sideways on a phone', async ({ admin, rest }) => {
	await admin.setViewportSize({ width: 390, height: 844 });
	for (const [path, heading] of await pages(rest)) {
		await test.step(path, async () => {
			await admin.goto(path);
			await expect(admin.getByRole('heading', { level: 1, name: heading })).toBeVisible();
			await settled(admin);
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

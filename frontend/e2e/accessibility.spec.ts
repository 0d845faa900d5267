import type { Page } from '@playwright/test';
import { expectAccessible } from './axe.ts';
import { expect, expectRefusal, FORM, gated, node, PICTURE, test, unknownJob, workflow, type Rest } from './fixtures.ts';
import { JOBS } from './scenes/jobs.ts';
import { PAGES } from './scenes/pages.ts';
import { GROUPS, type Exhibits, type Scene } from './scenes.ts';
import type { Job } from './types.ts';

/** Rules whose result depends on colours. */
const COLOUR_RULES = ['color-contrast', 'link-in-text-block'];

async function check(page: Page): Promise<void> {
	// The dark scheme changes nothing but colours.
	const isDark = await page.evaluate(() => matchMedia('(prefers-color-scheme: dark)').matches);
	// What is behind a dialog can't be used, and is partly covered; it is checked by itself.
	const dialogs = '[role="dialog"], [role="alertdialog"]';
	const hasDialog = (await page.locator(dialogs).count()) > 0;
	await expectAccessible(page, { within: hasDialog ? dialogs : undefined, rules: isDark ? COLOUR_RULES : undefined });
}

/** Waits for the approval forms, which load after the page. */
async function settled(page: Page): Promise<void> {
	const waiting = page.getByRole('region', { name: /^Approval for/ });
	if ((await page.getByRole('status').filter({ hasText: 'suspended' }).count()) === 0) return;
	await expect(waiting).toHaveCount(2);
	await expect(page.getByRole('button', { name: /^Approve/ })).toHaveCount(2);
}

/** Documents and jobs in every state. */
async function makeExhibits(rest: Rest): Promise<Exhibits> {
	const world = await rest.world();
	const image = { ...node(world), output: [{ name: 'output_image', type: 'image', mapping: 'output' }] };
	await rest.call('PUT', `/nodes/${world.node}`, image);
	await rest.standIn({ delivery: 'local' });
	const done = await rest.run(world.workflow, { input_image: PICTURE });
	await rest.standIn({ end: 'failed' });
	const failed = await rest.run(world.workflow, { input_image: PICTURE });
	await rest.standIn({ end: 'succeeded' });
	const suspended = await rest.suspend(gated(world, { required_events: 1, resume_form: FORM }), { pictures: [PICTURE, PICTURE] });
	// The editor shows the last run.
	const last = await rest.run(world.workflow, { input_image: PICTURE });
	expect([done.status, failed.status, last.status]).toEqual(['completed', 'failed', 'completed']);
	return {
		connector: { id: world.connector, name: `Replicate ${world.unique}` },
		node: { id: world.node, name: `Flux ${world.unique}` },
		workflow: { id: world.workflow, name: `Cartoon ${world.unique}`, steps: ['Add a Hat to person', 'Make this a 90s cartoon'] },
		jobs: {
			completed: done.id,
			failed: failed.id,
			suspended: suspended.id,
			running: async () => {
				await rest.standIn({ delay_ms: 20_000 });
				const { id } = await rest.call<Job>('POST', `/workflow/${world.workflow}/run`, { input: { input_image: PICTURE } });
				await expect.poll(async () => (await rest.call<Job>('GET', `/jobs/${id}`)).steps.length).toBeGreaterThan(0);
				return id;
			}
		},
		changeWorkflow: async () => {
			await rest.call('PUT', `/workflows/${world.workflow}`, { ...workflow(world), description: 'Changed elsewhere' });
		}
	};
}

/** Opens scenes one after the other and looks at each. */
async function visitAll(scenes: readonly Scene[], page: Page, rest: Rest, faults: string[], look: () => Promise<void>): Promise<void> {
	const exhibits = await makeExhibits(rest);
	for (const scene of scenes) {
		await test.step(scene.name, async () => {
			await scene.open(page, exhibits);
			await look();
			for (const status of scene.refusals ?? []) expectRefusal(faults, status);
		});
	}
}

for (const colorScheme of ['light', 'dark'] as const) {
	test.describe(colorScheme, () => {
		test.use({ colorScheme });

		for (const [name, scenes] of GROUPS) {
			test(`${name}: WCAG 2.2 AA`, async ({ admin, rest, faults }) => {
				test.setTimeout(300_000);
				await visitAll(scenes, admin, rest, faults, () => check(admin));
			});
		}

		test('a workflow with problems meets WCAG 2.2 AA', async ({ admin, rest }) => {
			const world = await rest.world();
			const broken = structuredClone(workflow(world));
			broken.nodes.value.modules[0]!.value.path = 'node/no_such_node';
			await rest.call('PUT', `/workflows/${world.workflow}`, broken);
			await admin.goto(`/workflows/${world.workflow}`);
			await expect(admin.getByRole('button', { name: /1 error/ })).toBeVisible();
			await check(admin);
		});

		test('run dialogs meet WCAG 2.2 AA', async ({ admin, rest, faults }) => {
			const unknown = await unknownJob(rest);
			await admin.goto(`/jobs/${unknown.id}`);
			await admin.getByRole('list', { name: 'Steps' }).locator('summary').first().click();
			await admin.getByRole('link', { name: 'Run again from here' }).click();
			await admin.getByRole('button', { name: 'Run', exact: true }).click();
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
	await admin.getByRole('link', { name: 'Run again from here' }).click();
	await admin.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(admin.getByRole('alertdialog')).toBeVisible();
	await fits('alertdialog');
	expectRefusal(faults, 409);
	await openPartialRun(admin, (await rest.world()).workflow);
	await fits('dialog');
});

test('nothing scrolls sideways on a phone', async ({ admin, rest, faults }) => {
	test.setTimeout(300_000);
	await admin.setViewportSize({ width: 390, height: 844 });
	await visitAll([...PAGES, ...JOBS], admin, rest, faults, async () => {
		expect(await admin.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
	});
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
	await expect(admin.getByRole('button', { name: 'Start a job' })).toBeFocused();
	await admin.getByRole('list', { name: 'Jobs' }).getByRole('checkbox').first().focus();
	await admin.keyboard.press('Tab');
	await admin.keyboard.press('Enter');
	await expect(admin).toHaveURL(`/jobs/${job.id}`);
	await admin.getByRole('list', { name: 'Steps' }).locator('summary').first().focus();
	await admin.keyboard.press('Enter');
	await expect(admin.getByRole('tab', { name: 'Output' })).toBeVisible();
	await admin.keyboard.press('Tab');
	await expect(admin.getByRole('tab', { name: 'Output' })).toBeFocused();
	await admin.keyboard.press('ArrowRight');
	await expect(admin.getByRole('region', { name: 'Input of add_hat_step' })).toBeVisible();
});

import type { CDPSession, Page } from '@playwright/test';
import { expect, PICTURE, test } from '../e2e/fixtures.ts';
import { branchedWorkflow, straightWorkflow } from '../e2e/large-workflows.ts';
import type { Job } from '../e2e/types.ts';
import { report } from './report.ts';
import { WATCH_DRAWING } from './watchers.ts';

const CARD = '.svelte-flow__node-card';

/** Time that the page's main thread has worked, in ms. */
async function busyTime(session: CDPSession): Promise<number> {
	const { metrics } = await session.send('Performance.getMetrics');
	return 1000 * metrics.find(({ name }) => name === 'TaskDuration')!.value;
}

/** States that steps have reached: each is waited for, runs and ends. */
const countChanges = ({ steps }: Job) => steps.reduce((sum, { finished_at }) => sum + (finished_at === null ? 1 : 2), 0);

test('live state change', async ({ admin, rest }) => {
	const world = await rest.world();
	const id = `live_${world.unique}`;
	await rest.standIn({ hold_create_ms: 60 });
	// The reply to the call is the result, so that the length of a step is that of its call.
	await rest.call('PUT', `/nodes/${world.node}`, {
		id: world.node,
		name: 'Immediate',
		connector_id: world.connector,
		input: [{ name: 'prompt', type: 'string' }, { name: 'input_image', type: 'string' }],
		output: [{ name: 'output_image', type: 'string', mapping: 'urls.get' }],
		data: { path: '/models/black-forest-labs/flux-kontext-pro/predictions', body: { input: '{{ input }}' } }
	});
	await rest.call('POST', '/workflows', straightWorkflow(world, id, 200));
	const session = await admin.context().newCDPSession(admin);
	await session.send('Performance.enable');
	await admin.goto('/jobs');
	const job = await rest.call<Job>('POST', `/workflow/${id}/run`, { input: { input_image: PICTURE } });
	await admin.goto(`/jobs/${job.id}`);
	await expect(admin.locator(CARD).first()).toBeVisible();
	const [before, from] = [await rest.call<Job>('GET', `/jobs/${job.id}`), await busyTime(session)];
	await expect.poll(async () => (await rest.call<Job>('GET', `/jobs/${job.id}`)).status, { timeout: 300_000, intervals: [2000] }).toBe('completed');
	await expect(admin.getByText('completed').first()).toBeVisible();
	const [after, to] = [await rest.call<Job>('GET', `/jobs/${job.id}`), await busyTime(session)];
	const changes = countChanges(after) - countChanges(before);
	expect(changes).toBeGreaterThan(150);
	report({ name: 'one live state change, 200 steps', quantity: 'ms of the main thread', value: (to - from) / changes, target: 10 });
});

/** What a user does in the editor of a large workflow. */
async function useEditor(page: Page): Promise<void> {
	const graph = page.getByRole('region', { name: 'Workflow graph' });
	const cards = graph.locator(CARD);
	await cards.first().click();
	await page.keyboard.press('ArrowDown');
	await page.keyboard.press('ArrowDown');
	await page.keyboard.press('ControlOrMeta+d');
	await expect(page.getByText('Unsaved changes')).toBeVisible();
	await page.keyboard.press('Delete');
	await page.keyboard.press('ControlOrMeta+z');
	await page.locator('body').press('n');
	const picker = page.getByRole('dialog', { name: 'Insert a step' });
	await picker.getByRole('combobox').fill('for each');
	await page.keyboard.press('Enter');
	await expect(picker).toHaveCount(0);
	await page.getByRole('button', { name: 'Fit View' }).click();
	await page.getByRole('button', { name: 'Zoom In' }).click();
	const text = page.getByRole('textbox', { name: 'workflow JSON' });
	// The text follows the selection, and contains only the lines in view.
	await text.focus();
	await page.keyboard.press('ControlOrMeta+Home');
	await text.getByText('"Picture 1"').first().click();
	await page.keyboard.press('End');
	await page.keyboard.press('ArrowLeft');
	await page.keyboard.press('ArrowLeft');
	await page.keyboard.type('a few words', { delay: 120 });
	await page.keyboard.press('ControlOrMeta+End');
	await page.keyboard.press('ControlOrMeta+s');
	await expect(page.getByText('Saved', { exact: true })).toBeVisible();
}

const builders = { 'in sequence': straightWorkflow, 'with loops and branches': branchedWorkflow };

for (const [shape, build] of Object.entries(builders)) {
	test(`long tasks, 1000 steps ${shape}`, async ({ admin, rest }) => {
		const world = await rest.world();
		const id = `large_${world.unique}`;
		await rest.call('POST', '/workflows', build(world, id, 1000));
		await admin.addInitScript(WATCH_DRAWING, CARD);
		await admin.goto(`/workflows/${id}`);
		await expect(admin.locator(CARD).first()).toBeVisible();
		await admin.getByRole('combobox', { name: 'View' }).selectOption('beside');
		await expect(admin.getByRole('textbox', { name: 'workflow JSON' })).toBeVisible();
		const opening = await admin.evaluate(() => window.measured.longTasks.splice(0));
		await useEditor(admin);
		const using = await admin.evaluate(() => window.measured.longTasks);
		report({ name: `longest task, opening 1000 steps ${shape}`, quantity: 'ms', value: Math.max(0, ...opening), target: 100 });
		report({ name: `longest task, editing 1000 steps ${shape}`, quantity: 'ms', value: Math.max(0, ...using), target: 100 });
	});
}

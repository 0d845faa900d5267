import type { Page } from '@playwright/test';
import { expect, PICTURE, test, type World } from './fixtures.ts';
import type { Job } from './types.ts';

/** A step that calls the node of the world. */
const call = ({ node }: World, id: string, more: object = {}) => ({
	id,
	summary: `Make ${id}`,
	...more,
	value: { type: 'script', path: `node/${node}`, input_transforms: { prompt: { type: 'static', value: id }, input_image: { type: 'static', value: PICTURE } } }
});

const graph = (page: Page) => page.getByRole('region', { name: 'Graph of the job' });
const card = (page: Page, name: string) => graph(page).locator('.svelte-flow__node', { hasText: name });

test('cards show each state of a real run: waiting, skipped, not taken, retrying, cancelled', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.standIn({ delay_ms: 2500, skip_creates: 2, fail_predictions: 1 });
	const branches = [{ summary: 'wide', expr: 'false', modules: [call(world, 'wide')] }];
	const modules = [
		{ id: 'ask', summary: 'Ask first', value: { type: 'identity' }, suspend: { required_events: 1 } },
		call(world, 'hat'),
		call(world, 'frame', { skip_if: { expr: 'flow_input.plain' } }),
		{ id: 'choice', value: { type: 'branchone', branches, default: [call(world, 'tall')] } },
		call(world, 'print', { retry: { constant: { attempts: 2, seconds: 60 } } }),
		call(world, 'mail')
	];
	const { id } = await rest.call<Job>('POST', '/workflows/run', { document: { summary: 'States', value: { modules } }, input: { plain: true } });
	await admin.goto(`/jobs/${id}`);
	await expect(card(admin, 'Ask first')).toContainText(/waiting for approval/);
	for (const name of ['Make hat', 'Make frame', 'Make wide', 'Make tall', 'Make print', 'Make mail']) await expect(card(admin, name)).toContainText('waiting');
	await rest.call('POST', `/jobs/${id}/resume`, { action: 'resume' });
	await expect(card(admin, 'Make hat')).toContainText(/running\s+\d+\.\d s/);
	await expect(card(admin, 'Make tall')).toContainText('running', { timeout: 15_000 });
	await expect(card(admin, 'Make hat')).toContainText('done');
	await expect(card(admin, 'Make frame')).toContainText('skipped');
	await expect(card(admin, 'Make wide')).toContainText('not run');
	await expect(card(admin, 'Make mail')).toContainText('waiting');
	await expect(card(admin, 'Make print')).toContainText('retrying (attempt 2 of 3)', { timeout: 15_000 });

	await admin.getByRole('button', { name: 'Cancel' }).click();
	await expect(card(admin, 'Make print')).toContainText('cancelled');
	await expect(card(admin, 'Make mail')).toContainText('not run');
	await expect(admin.getByRole('alert')).toContainText('cancelled');
	await expect(admin.getByRole('region', { name: 'Output', exact: true })).toContainText('The job has no output.');
});

test('a failed job leads to its step, and runs again from it', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.standIn({ skip_creates: 1, fail_predictions: 1 });
	const document = { summary: 'Fails', value: { modules: [call(world, 'hat'), call(world, 'print')] } };
	const { id } = await rest.call<Job>('POST', '/workflows/run', { document });
	await admin.goto(`/jobs/${id}`);
	const alert = admin.getByRole('alert');
	await expect(alert).toContainText('print failed.');
	await alert.getByRole('button', { name: 'print' }).click();
	await expect(admin.getByRole('region', { name: 'print', exact: true })).toBeVisible();
	await alert.getByRole('link', { name: 'Run again from this step' }).click();
	await expect(admin.getByLabel('Start at').locator('option:checked')).toHaveText('print');
	const steps = admin.getByRole('list', { name: 'Steps of the rerun' }).getByRole('listitem');
	await expect(steps).toHaveText([/Make hat\s*hat\s*reused/, /Make print\s*print\s*runs/]);
	await admin.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(admin).not.toHaveURL(/rerun/);
	await expect(admin.getByRole('status').first()).toContainText('completed');
	expect(await rest.prompts()).toEqual(['hat', 'print', 'print']);
});

test('a loop with hundreds of iterations is shown whole, page by page', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.standIn({ delay_ms: 20 });
	const LENGTH = 300;
	const value = { type: 'forloopflow', parallel: true, parallelism: 30, iterator: { type: 'javascript', expr: `[...Array(${LENGTH}).keys()]` }, modules: [{ id: 'count', value: { type: 'identity' } }] };
	const { id } = await rest.call<Job>('POST', '/workflows/run', { document: { summary: `Loop ${world.unique}`, value: { modules: [{ id: 'each', value }] } } });
	await expect.poll(async () => (await rest.call<Job>('GET', `/jobs/${id}`)).status, { timeout: 30_000 }).toBe('completed');
	await admin.goto(`/jobs/${id}`);
	await expect(graph(admin).locator('[data-index]')).toHaveCount(LENGTH, { timeout: 20_000 });
	await expect(card(admin, 'count')).toContainText(`${LENGTH} times`);
	const rows = admin.getByRole('list', { name: 'Steps' }).locator('> li');
	for (const shown of [100, 200, 300]) {
		await expect(rows).toHaveCount(shown);
		await admin.getByRole('button', { name: `Show more steps (${LENGTH + 1 - shown})` }).click();
	}
	await expect(rows).toHaveCount(LENGTH + 1);
	await expect(rows.last()).toContainText('each #');
	await graph(admin).getByRole('combobox').selectOption(String(LENGTH - 1));
	await expect(card(admin, 'count')).not.toContainText('times');
	await card(admin, 'count').click();
	await expect(admin.getByRole('region', { name: `count, each #${LENGTH}`, exact: true })).toBeVisible();
});

import { expect, PICTURE, test } from './fixtures.ts';
import type { Job } from './types.ts';

test('a job is started from the list', async ({ admin, rest }) => {
	const world = await rest.world();
	await admin.goto('/jobs');
	await admin.getByRole('button', { name: 'Start a job' }).click();
	const dialog = admin.getByRole('dialog', { name: 'Start a job' });
	await dialog.getByLabel('Search workflows and nodes').fill(`cartoon ${world.unique}`);
	await expect(dialog.getByRole('list', { name: 'Nodes' })).toHaveCount(0);
	await dialog.getByRole('link', { name: new RegExp(`Cartoon ${world.unique}`) }).click();
	await admin.getByLabel('input_image').fill(PICTURE);
	await admin.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(admin).toHaveURL(/\/jobs\/[^/]+$/);
	await expect(admin.getByRole('status').first()).toContainText('completed');
});

test('jobs are searched, filtered, cancelled and deleted together', async ({ admin, rest }) => {
	const world = await rest.world();
	const first = await rest.run(world.workflow, { input_image: PICTURE });
	const rerun = await rest.call<Job>('POST', `/jobs/${first.id}/rerun`, {});
	await expect.poll(async () => (await rest.call<Job>('GET', `/jobs/${rerun.id}`)).status).toBe('completed');
	await rest.standIn({ delay_ms: 600_000 });
	const running = await rest.call<Job>('POST', `/workflow/${world.workflow}/run`, { input: { input_image: PICTURE } });

	await admin.goto('/jobs');
	await admin.getByLabel('Search jobs by name or id').fill(`CARTOON ${world.unique}`);
	const rows = admin.getByRole('list', { name: 'Jobs' }).getByRole('listitem');
	await expect(rows).toHaveCount(3);
	await expect(admin).toHaveURL(/q=CARTOON/);
	await expect(rows.filter({ has: admin.locator(`[href="/jobs/${first.id}"]`) })).toHaveCount(2);
	await expect(admin.getByRole('link', { name: `rerun of job ${first.id}` }).first()).toBeVisible();

	await expect(rows.first()).toContainText(/running.*of 2 steps/s);
	await admin.getByLabel('Order').selectOption('Oldest first');
	await expect(admin).toHaveURL(/order=oldest/);
	await expect(rows.first().locator(`[href="/jobs/${first.id}"]`)).toBeVisible();
	await expect(rows.last().locator(`[href="/jobs/${running.id}"]`)).toBeVisible();

	await admin.getByLabel('Status').selectOption('running');
	await expect(rows).toHaveCount(1);
	await rows.getByRole('checkbox').check();
	await admin.getByRole('button', { name: 'Cancel 1' }).click();
	await admin.getByRole('dialog').getByRole('button', { name: 'Cancel 1 job' }).click();
	await expect(admin.getByText('Cancelled 1 job.')).toBeVisible();
	await admin.getByLabel('Status').selectOption('');
	await expect(rows.filter({ has: admin.locator(`[href="/jobs/${running.id}"]`) })).toContainText('cancelled');

	await admin.getByLabel('Select all').check();
	await admin.getByRole('button', { name: 'Delete 3' }).click();
	await admin.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click();
	await expect(admin.getByText('Deleted 3 jobs.')).toBeVisible();
	await expect(admin.getByRole('heading', { name: 'No matching jobs' })).toBeVisible();
	await admin.getByRole('button', { name: 'Show all jobs' }).click();
	await expect(admin.getByLabel('Search jobs by name or id')).toHaveValue('');
});

test('two runs are compared', async ({ admin, rest }) => {
	const world = await rest.world();
	const first = await rest.run(world.workflow, { input_image: PICTURE, style: 'cartoon' });
	const { id } = await rest.call<Job>('POST', `/jobs/${first.id}/rerun`, { input: { input_image: PICTURE, style: 'vintage' } });
	await expect.poll(async () => (await rest.call<Job>('GET', `/jobs/${id}`)).status).toBe('completed');
	await admin.goto(`/jobs/${id}`);
	await admin.getByRole('link', { name: 'Compare runs' }).click();
	const inputs = admin.getByRole('region', { name: 'Inputs', exact: true });
	await expect(inputs.getByRole('heading', { level: 3 })).toHaveText(['style']);
	await expect(inputs.getByRole('region', { name: 'style of the earlier run' })).toContainText('cartoon');
	await expect(inputs.getByRole('region', { name: 'style of this run' })).toContainText('vintage');
	await expect(admin.getByRole('region', { name: 'Pictures of output_image' }).getByRole('slider')).toBeVisible();
	await expect(admin.getByRole('region', { name: 'Steps of both runs' }).getByRole('row')).toHaveCount(5);
	await expect(admin.getByLabel('Run to compare with')).toHaveValue(first.id);
});

import { expect, node, PICTURE, test } from './fixtures.ts';

test('a node is tried, and its outputs are mapped in the reply', async ({ admin, rest }) => {
	const world = await rest.world();
	const { data } = node(world);
	await rest.call('PUT', `/nodes/${world.node}`, { ...node(world), data: { ...data, price: { currency: 'USD', per_call: 0.05 } } });
	await admin.goto('/nodes');
	await admin.getByRole('link', { name: `Try Flux ${world.unique}` }).click();
	await admin.getByLabel('prompt').fill('Add a hat');
	await admin.getByLabel('input_image').fill(PICTURE);
	await admin.getByRole('button', { name: 'Run', exact: true }).click();
	const run = admin.getByRole('status', { name: 'Run' });
	await expect(run).toContainText('completed');
	await expect(run).toContainText(/0\.05/);
	await expect(admin.getByRole('region', { name: 'Output' }).getByRole('img').first()).toBeVisible();
	await expect(admin.getByText(`r8_${world.unique}`)).toHaveCount(0);

	await admin.getByRole('button', { name: 'Map outputs in this reply' }).click();
	const dialog = admin.getByRole('dialog', { name: `Node Flux ${world.unique}` });
	await dialog.getByRole('button', { name: 'Add an output' }).click();
	await dialog.getByRole('group', { name: 'Output 2' }).getByLabel('Name', { exact: true }).fill('state');
	await dialog.getByRole('group', { name: 'Output 2' }).getByLabel('Type').selectOption('string');
	await dialog.getByRole('button', { name: /^status/ }).click();
	await dialog.getByRole('button', { name: 'Save' }).click();
	await expect(dialog).toHaveCount(0);
	await admin.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(admin.getByRole('region', { name: 'Output' })).toContainText('succeeded');
	await admin.getByRole('link', { name: 'Open the job' }).click();
	await expect(admin.getByRole('link', { name: `node ${world.node}` })).toBeVisible();
});

test('a node takes the reply of the last run as its sample, and is duplicated', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.call('POST', `/node/${world.node}/run`, { input: { prompt: 'x', input_image: PICTURE } });
	await admin.goto(`/nodes?q=${world.unique}`);
	await expect.poll(async () => (await rest.call<{ items: unknown[] }>('GET', `/jobs?node_id=${world.node}&status=completed`)).items.length).toBe(1);
	await admin.getByRole('button', { name: `Edit Flux ${world.unique}` }).click();
	const dialog = admin.getByRole('dialog');
	await dialog.getByRole('tab', { name: 'Outputs' }).click();
	await dialog.getByRole('button', { name: 'Use the reply of the last run' }).click();
	await expect(dialog.getByLabel('A reply of the provider (JSON)')).toHaveValue(/"status": "succeeded"/);
	await admin.keyboard.press('Escape');
	await admin.getByRole('button', { name: `Duplicate Flux ${world.unique}` }).click();
	await expect(admin.getByRole('dialog', { name: `Node Flux ${world.unique} (copy)` })).toBeVisible();
});

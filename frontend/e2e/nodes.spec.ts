import { expect, node, PICTURE, test, write } from './fixtures.ts';

test('a node is tried, and its outputs are mapped in the reply', async ({ admin, rest }) => {
	const world = await rest.world();
	const { data } = node(world);
	await rest.call('PUT', `/nodes/${world.node}`, { ...node(world), data: { ...data, price: { currency: 'USD', per_call: 0.05 } } });
	await admin.goto(`/nodes/${world.node}/run`);
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

test('a node is created, tried and corrected in its dialog', async ({ admin, rest }) => {
	const world = await rest.world();
	const id = `tried_${world.unique}`;
	await admin.goto(`/nodes?q=${world.unique}`);
	await admin.getByRole('button', { name: 'New node' }).click();
	const dialog = admin.getByRole('dialog');
	const entry = (name: string) => dialog.getByRole('textbox', { name, exact: true });
	await dialog.getByRole('tab', { name: 'JSON' }).click();
	await write(admin, 'node JSON', { ...node(world), id, name: `Tried ${world.unique}`, output: [] });
	await dialog.getByRole('tab', { name: 'Try it' }).click();
	await entry('prompt').fill('Add a hat');
	await entry('input_image').fill(PICTURE);
	await dialog.getByRole('button', { name: 'Create and run' }).click();
	const run = dialog.getByRole('status', { name: 'Run' });
	await expect(run).toContainText('completed');
	await expect(dialog).toHaveAccessibleName(`Node Tried ${world.unique}`);
	await dialog.getByRole('button', { name: 'Map outputs in this reply' }).click();
	await dialog.getByRole('button', { name: 'Add an output' }).click();
	await dialog.getByRole('group', { name: 'Output 1' }).getByLabel('Name', { exact: true }).fill('state');
	await dialog.getByRole('group', { name: 'Output 1' }).getByLabel('Type').selectOption('string');
	await dialog.getByRole('button', { name: /^status/ }).click();
	await dialog.getByRole('tab', { name: 'Try it' }).click();
	// What was entered is kept.
	await expect(entry('prompt')).toHaveValue('Add a hat');
	await dialog.getByRole('button', { name: 'Save and run' }).click();
	await expect(dialog.getByRole('region', { name: 'Output' })).toContainText('succeeded');
	await expect(dialog.getByRole('button', { name: 'Run', exact: true })).toBeVisible();
	expect((await rest.call<{ output: object[] }>('GET', `/nodes/${id}`)).output).toMatchObject([{ name: 'state', mapping: 'status' }]);
	await dialog.getByRole('button', { name: 'Cancel', exact: true }).click();
	await admin.getByRole('button', { name: `Try Tried ${world.unique}` }).click();
	await expect(dialog.getByRole('tab', { name: 'Try it' })).toHaveAttribute('data-state', 'active');
});

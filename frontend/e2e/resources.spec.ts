import { connector, expect, node, PICTURE, test } from './fixtures.ts';

test('a secret is created on the spot, shown by name only, replaced and deleted', async ({ admin, rest }) => {
	const { unique } = await rest.world();
	const name = `E2E_KEY_${unique.toUpperCase()}`;
	await admin.goto('/connectors');
	await admin.getByRole('button', { name: 'New connector' }).click();
	const dialog = admin.getByRole('dialog', { name: 'New connector' });
	await dialog.getByLabel('Name', { exact: true }).fill(`With key ${unique}`);
	await dialog.getByLabel('Base URL').fill('https://api.example/v1');
	await dialog.getByLabel('Method of authentication').selectOption('bearer');
	await dialog.getByLabel('Secret').selectOption('New secret…');
	const secret = admin.getByRole('dialog', { name: 'New secret' });
	await secret.getByLabel('Name').fill(name);
	await secret.getByLabel('Value').fill(`value of ${unique}`);
	await secret.getByRole('button', { name: 'Save' }).click();
	await expect(dialog.getByLabel('Secret')).toHaveValue(name);
	await dialog.getByRole('button', { name: 'Create' }).click();
	await expect(admin.getByRole('list', { name: 'Connectors' }).getByRole('listitem').filter({ hasText: `With key ${unique}` })).toContainText(`${name} is set`);

	await admin.goto('/secrets');
	const row = admin.getByRole('list', { name: 'Secrets' }).getByRole('listitem').filter({ hasText: name });
	await expect(row).toContainText(`used by With key ${unique}`);
	await expect(row).toContainText('https://api.example');
	expect(await admin.content()).not.toContain(`value of ${unique}`);
	await row.getByRole('button', { name: `Replace ${name}` }).click();
	await admin.getByLabel('Value').fill(`other of ${unique}`);
	await admin.getByRole('dialog').getByRole('button', { name: 'Replace' }).click();
	await expect(admin.getByRole('dialog')).toHaveCount(0);
	await row.getByRole('button', { name: `Delete secret ${name}` }).click();
	await admin.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
	await expect(row).toContainText('missing');
	await expect(row.getByRole('button')).toHaveText('Set value');
});

test('a node of the library is found and added with its connector', async ({ admin }) => {
	await admin.goto('/library');
	await admin.getByLabel('Search the library').fill('remove background');
	const card = admin.getByRole('list', { name: 'Nodes of the library' }).getByRole('listitem').filter({ has: admin.getByRole('button', { name: 'Remove background', exact: true }) });
	await card.getByRole('button', { name: /^Add|^Compare/ }).click();
	await expect(card).toContainText('Added');
	await admin.goto('/nodes');
	await expect(admin.getByRole('list', { name: 'Nodes' })).toContainText('stability-remove-background');
});

test('a node is made in its form, with a mapping chosen in a reply', async ({ admin, rest }) => {
	const world = await rest.world();
	await admin.goto('/nodes');
	await admin.getByRole('button', { name: 'New node' }).click();
	const dialog = admin.getByRole('dialog', { name: 'New node' });
	await dialog.getByLabel('Name', { exact: true }).fill(`Made ${world.unique}`);
	await dialog.getByRole('combobox', { name: /^Connector/ }).selectOption(world.connector);
	await dialog.getByRole('tab', { name: 'Inputs' }).click();
	await dialog.getByRole('button', { name: 'Add an input' }).click();
	await dialog.getByRole('group', { name: 'Input 1' }).getByLabel('Name', { exact: true }).fill('prompt');
	await dialog.getByRole('tab', { name: 'Outputs' }).click();
	await dialog.getByLabel('A reply of the provider (JSON)').fill('{"data": [{"url": "https://x/a.png"}]}');
	await dialog.getByRole('button', { name: /^url/ }).click();
	await expect(dialog.getByLabel('Place in the reply')).toHaveValue('data[0].url');
	await dialog.getByRole('tab', { name: 'Call' }).click();
	await dialog.getByLabel('Path').fill('/images');
	await dialog.getByRole('button', { name: 'Create' }).click();
	await expect(dialog).toHaveCount(0);
	const made = await rest.call<{ output: { mapping: string }[]; data: { path: string } }>('GET', `/nodes/made-${world.unique}`);
	expect([made.output[0]?.mapping, made.data.path]).toEqual(['data[0].url', '/images']);
});

test('a test call shows the reply of the provider', async ({ admin, rest }) => {
	const world = await rest.world();
	await admin.goto('/connectors');
	await admin.getByRole('button', { name: `Test Replicate ${world.unique}` }).click();
	const dialog = admin.getByRole('dialog');
	await dialog.getByLabel('Path').fill('/account');
	await dialog.getByRole('button', { name: 'Send' }).click();
	await expect(dialog.getByRole('region', { name: 'Reply', exact: true })).toContainText(/[245]\d\d/);
});

test('what runs cost is shown, and a budget is set', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.call('PUT', `/nodes/${world.node}`, { ...node(world), data: { ...node(world).data, price: { currency: 'USD', per_call: 0.05 } } });
	await rest.run(world.workflow, { input_image: PICTURE });
	await admin.goto('/usage');
	await admin.getByRole('combobox', { name: /^By/ }).selectOption('workflow');
	await expect(admin.getByRole('row', { name: new RegExp(`Cartoon ${world.unique}`) })).toContainText(/0\.10? USD/);
	await admin.getByRole('button', { name: 'New budget' }).click();
	const dialog = admin.getByRole('dialog', { name: 'New budget' });
	await dialog.getByLabel('Name').fill(`b-${world.unique}`);
	await dialog.getByLabel('For').selectOption('workflow');
	await dialog.getByRole('combobox', { name: 'Workflow' }).selectOption(world.workflow);
	await dialog.getByLabel('Amount').fill('2');
	await dialog.getByRole('button', { name: 'Save' }).click();
	const row = admin.getByRole('list', { name: 'Budgets' }).getByRole('listitem').filter({ hasText: `b-${world.unique}` });
	await expect(row).toContainText('of 2 USD');
	await row.getByRole('button', { name: /^Delete budget/ }).click();
	await admin.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
	await expect(row).toHaveCount(0);
});

test('a session that ends asks for a login in a dialog, and nothing is lost', async ({ admin, rest, context, faults }) => {
	const world = await rest.world();
	await admin.goto(`/workflows/${world.workflow}`);
	await admin.getByRole('textbox', { name: 'Description' }).first().fill('typed before the session ended');
	await context.clearCookies();
	await admin.getByRole('button', { name: 'Save', exact: true }).click();
	const dialog = admin.getByRole('dialog', { name: 'Your session has ended' });
	await expect(dialog).toBeVisible();
	await dialog.getByLabel('Password').fill(process.env.APIFLOW_ADMIN_PASSWORD ?? '');
	await dialog.getByRole('button', { name: 'Log in' }).click();
	await expect(dialog).toHaveCount(0);
	await admin.getByRole('button', { name: 'Save', exact: true }).click();
	await expect(admin.getByText('Saved', { exact: true })).toBeVisible();
	const saved = await rest.call<{ description: string }>('GET', `/workflows/${world.workflow}`);
	expect(saved.description).toBe('typed before the session ended');
	faults.length = 0;
});

test('a connector of the old form is edited without loss', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.call('PUT', `/connectors/${world.connector}`, { ...connector(world), data: { errors: { message: 'detail' }, limits: { in_flight: 2 } } });
	await admin.goto('/connectors');
	await admin.getByRole('button', { name: `Edit Replicate ${world.unique}` }).click();
	const dialog = admin.getByRole('dialog');
	await expect(dialog.getByLabel('Secret')).toHaveValue('E2E_REPLICATE_TOKEN');
	await dialog.getByLabel('Name', { exact: true }).fill(`Renamed ${world.unique}`);
	await dialog.getByRole('tab', { name: 'Request' }).click();
	await dialog.getByLabel('Body template (JSON)').fill('{"fixed": 1}');
	await dialog.getByLabel('Hosts of files').fill('*.example.com');
	await dialog.getByRole('tab', { name: 'Limits and price' }).click();
	await dialog.getByLabel('Calls per window').fill('10');
	await dialog.getByLabel('Per call').fill('0.1');
	await dialog.getByRole('button', { name: 'Save' }).click();
	await expect(dialog).toHaveCount(0);
	const saved = await rest.call<{ name: string; header: object; data: object }>('GET', `/connectors/${world.connector}`);
	expect(saved).toMatchObject({ name: `Renamed ${world.unique}`, header: { Authorization: 'Bearer $E2E_REPLICATE_TOKEN' }, body: { fixed: 1 } });
	expect(saved.data).toEqual({ errors: { message: 'detail' }, limits: { in_flight: 2, requests: { count: 10, window_s: 60 } }, media_hosts: ['*.example.com'], price: { currency: 'USD', per_call: '0.1' } });
});

import { expect, node, test } from './fixtures.ts';

test('filters, search and order of a list are in the address', async ({ admin, rest }) => {
	const { unique } = await rest.world();
	await rest.call('POST', '/connectors', { id: `zz_${unique}`, name: `Zebra ${unique}`, base_url: 'https://api.example', header: { 'x-key': `$MISSING_${unique}` } });
	await admin.goto('/connectors');
	const cards = admin.getByRole('list', { name: 'Connectors' }).getByRole('listitem');
	await admin.getByLabel('Search connectors').fill(unique);
	await admin.getByRole('combobox', { name: 'Order' }).selectOption('name');
	await expect(cards).toHaveText([/Replicate/, /Zebra/]);
	await admin.getByRole('combobox', { name: 'State' }).selectOption('missing');
	await expect(cards).toHaveText([new RegExp(`Zebra.*MISSING_${unique} missing`)]);
	await expect(admin).toHaveURL(`/connectors?q=${unique}&order=name&state=missing`);
	await admin.reload();
	await expect(cards).toHaveCount(1);
	await cards.getByRole('link', { name: `Zebra ${unique}` }).click();
	await expect(admin.getByRole('heading', { level: 1 })).toHaveText(`Zebra ${unique}`);
	await admin.goBack();
	await expect(admin.getByLabel('Search connectors')).toHaveValue(unique);
	await admin.getByLabel('Search connectors').fill('no such connector');
	await admin.getByRole('button', { name: 'Show all connectors' }).click();
	await expect(admin).toHaveURL('/connectors?order=name');
});

test('several documents are deleted together except those in use, and the deletion is undone', async ({ admin, rest }) => {
	const world = await rest.world();
	const { unique } = world;
	for (const letter of ['a', 'b', 'c']) await rest.call('POST', '/connectors', { id: `spare_${letter}_${unique}`, name: `Spare ${letter} ${unique}`, base_url: `https://${letter}.example` });
	await admin.goto(`/connectors?q=${unique}&order=name`);
	const cards = admin.getByRole('list', { name: 'Connectors' }).getByRole('listitem');
	await admin.getByLabel('Select all').check();
	await admin.getByLabel(`Select Spare c ${unique}`).uncheck();
	await admin.getByRole('button', { name: 'Delete 3' }).click();
	const dialog = admin.getByRole('dialog', { name: 'Delete 3 connectors?' });
	await expect(dialog.getByRole('listitem')).toHaveText([`Replicate ${unique}, used by Flux ${unique}`]);
	await dialog.getByRole('button', { name: 'Delete the other 2' }).click();
	await expect(cards).toHaveText([/Replicate/, /Spare c/]);
	await admin.getByRole('button', { name: 'Undo' }).click();
	await expect(cards).toHaveText([/Replicate/, /Spare a/, /Spare b/, /Spare c/]);
	const restored = await rest.call<{ base_url: string }>('GET', `/connectors/spare_a_${unique}`);
	expect(restored.base_url).toBe('https://a.example');
});

test('a list that could not be loaded says so and loads again', async ({ admin, faults }) => {
	await admin.route('**/api/v1/nodes?*', (route) => route.fulfill({ status: 400, contentType: 'application/problem+json', body: '{"title":"Broken","status":400}' }));
	await admin.goto('/nodes');
	await expect(admin.getByRole('alert')).toContainText('Broken');
	await admin.unroute('**/api/v1/nodes?*');
	await admin.getByRole('button', { name: 'Try again' }).first().click();
	await expect(admin.getByRole('alert')).toHaveCount(0);
	await expect(admin.getByRole('heading', { level: 1, name: 'Nodes' })).toBeVisible();
	faults.length = 0;
});

test('a missing secret is set from the list of secrets, and several are deleted', async ({ admin, rest }) => {
	const { unique } = await rest.world();
	const name = `LISTED_${unique}`;
	await rest.call('POST', '/connectors', { id: `needs_${unique}`, name: `Needs ${unique}`, base_url: 'https://api.example', header: { 'x-key': `$${name}` } });
	await rest.call('PUT', `/secrets/LISTED_TOO_${unique}`, { value: 'a value of some length' });
	await admin.goto(`/secrets?q=LISTED_+${unique}`);
	const rows = admin.getByRole('list', { name: 'Secrets' }).getByRole('listitem');
	await expect(rows).toHaveText([new RegExp(`${name}.*missing.*used by Needs`, 's'), new RegExp(`LISTED_TOO_${unique}`)]);
	await rows.first().getByRole('button', { name: `Set ${name}` }).click();
	const dialog = admin.getByRole('dialog', { name: 'New secret' });
	await expect(dialog.getByLabel('Name')).toHaveValue(name);
	await dialog.getByLabel('Value').fill('a value of some length');
	await dialog.getByRole('button', { name: 'Save' }).click();
	await expect(rows.first()).toContainText('shared');
	await admin.getByLabel('Select all').check();
	await admin.getByRole('button', { name: 'Delete 2' }).click();
	await expect(admin.getByRole('dialog')).toContainText(`Needs ${unique} will no longer work. This cannot be undone.`);
	await admin.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click();
	await expect(rows).toHaveText([/missing/]);
});

test('artifacts are filtered, used as an input, and deleted together', async ({ admin, rest }) => {
	const world = await rest.world();
	const { unique } = world;
	await rest.call('PUT', `/nodes/${world.node}`, { ...node(world), input: [{ name: 'picture', type: 'image', required: true }] });
	await admin.goto('/artifacts');
	const pixel = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
	await admin.locator('input[type=file]').first().setInputFiles(['one', 'two'].map((name) => ({ name: `${name} ${unique}.png`, mimeType: 'image/png', buffer: pixel })));
	await admin.getByLabel('Search artifacts').fill(unique);
	const tiles = admin.getByRole('list', { name: 'Artifacts' }).getByRole('listitem');
	await expect(tiles).toHaveCount(2);
	await admin.getByRole('combobox', { name: 'Type' }).selectOption('video');
	await expect(admin.getByText('No artifact matches')).toBeVisible();
	await admin.getByRole('combobox', { name: 'Type' }).selectOption('image');
	await admin.getByRole('button', { name: `Open one ${unique}.png` }).click();
	await admin.getByRole('button', { name: 'Use as input' }).click();
	await admin.getByLabel('Search workflows and nodes').fill(unique);
	await admin.getByRole('link', { name: new RegExp(`Flux ${unique} node · as picture`) }).click();
	await expect(admin.getByRole('img', { name: 'The chosen file' })).toBeVisible();
	await admin.goBack();
	await admin.getByLabel('Select all').check();
	await admin.getByRole('button', { name: 'Delete 2' }).click();
	await admin.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click();
	await expect(admin.getByText('No artifact matches')).toBeVisible();
});

test('the library says how a saved node differs from it', async ({ admin, rest }) => {
	const id = 'stability-remove-background';
	await rest.call('POST', `/library/${id}`);
	await rest.call('PATCH', `/nodes/${id}`, { description: 'Changed by hand' });
	await admin.goto('/library?q=remove+background');
	await admin.getByRole('button', { name: /^Compare .* with the library$/ }).first().click();
	const dialog = admin.getByRole('dialog', { name: /differs from the library/ });
	await expect(dialog.getByRole('listitem').filter({ hasText: 'description' })).toContainText('Changed by hand');
	await rest.call('DELETE', `/nodes/${id}`);
});

test('a workflow is renamed, duplicated and deleted from its card', async ({ admin, rest }) => {
	const world = await rest.world();
	const { unique } = world;
	await admin.goto(`/workflows?q=${unique}`);
	const cards = admin.getByRole('list', { name: 'Workflows' }).getByRole('listitem');
	const choose = async (name: string, action: string) => {
		await admin.getByRole('button', { name: `Actions for ${name}`, exact: true }).click();
		await admin.getByRole('menuitem', { name: action }).click();
	};
	await choose(`Cartoon ${unique}`, 'Rename');
	const dialog = admin.getByRole('dialog', { name: 'Rename workflow' });
	await dialog.getByLabel('Name').fill(`Comic ${unique}`);
	await dialog.getByRole('button', { name: 'Rename' }).click();
	await expect(cards).toHaveText([new RegExp(`Comic ${unique}`)]);
	await choose(`Comic ${unique}`, 'Duplicate');
	await expect(admin).toHaveURL(/\/workflows\/[^?]+$/);
	await admin.goto(`/workflows?q=${unique}&order=name`);
	await expect(cards).toHaveCount(2);
	await choose(`Comic ${unique}`, 'Delete');
	await admin.getByRole('dialog', { name: `Delete workflow Comic ${unique}?` }).getByRole('button', { name: 'Delete' }).click();
	await expect(cards).toHaveCount(1);
	await admin.getByRole('button', { name: 'Undo' }).click();
	await expect(cards).toHaveCount(2);
});

import { expect, test } from './fixtures.ts';

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

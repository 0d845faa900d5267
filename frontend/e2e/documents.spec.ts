import { connector, expect, expectRefusal, test, write } from './fixtures.ts';

test('a connector is created, shown, changed and deleted', async ({ admin, rest }) => {
	const { unique } = await rest.world();
	const id = `made_${unique}`;
	await admin.goto('/connectors');
	await admin.getByRole('button', { name: 'New connector' }).click();
	const dialog = admin.getByRole('dialog', { name: 'New connector' });
	await dialog.getByLabel('Name', { exact: true }).fill(`Made ${unique}`);
	await expect(dialog.getByLabel('Id')).toHaveValue(`made-${unique}`);
	await dialog.getByLabel('Id').fill(id);
	await dialog.getByLabel('Base URL').fill('https://api.example/v1');
	await dialog.getByRole('button', { name: 'Create' }).click();
	await admin.getByRole('link', { name: `Made ${unique}` }).click();
	await expect(admin).toHaveURL(`/connectors/${id}`);
	await expect(admin.getByRole('heading', { level: 1 })).toHaveText(`Made ${unique}`);

	await write(admin, 'connector JSON', { name: `Changed ${unique}`, base_url: 'https://api.example/v2' });
	await expect(admin.getByText('Unsaved changes')).toBeVisible();
	const put = admin.waitForRequest((request) => request.method() === 'PUT');
	await admin.keyboard.press('ControlOrMeta+s');
	expect((await put).headers()['if-match']).toMatch(/^"/);
	await expect(admin.getByText('Saved', { exact: true })).toBeVisible();
	await expect(admin.getByRole('heading', { level: 1 })).toHaveText(`Changed ${unique}`);

	await admin.getByRole('button', { name: 'Delete' }).click();
	await admin.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
	await expect(admin).toHaveURL('/connectors');
	await expect(admin.getByText(`Changed ${unique}`)).toHaveCount(0);
});

test('errors from the server are shown at their place', async ({ admin, rest, faults }) => {
	const world = await rest.world();
	await admin.goto(`/connectors/${world.connector}`);
	await expect(admin.getByRole('textbox', { name: 'connector JSON' })).toContainText('base_url');
	await write(admin, 'connector JSON', { ...connector(world), base_url: 'nowhere', colour: 'red' });
	await admin.getByRole('button', { name: 'Save' }).click();
	const alert = admin.getByRole('alert');
	await expect(alert.getByRole('button', { name: /\/base_url/ })).toBeVisible();
	await expect(alert.getByRole('button', { name: /\/colour/ })).toBeVisible();
	expectRefusal(faults, 422);

	await expect(admin.locator('.cm-lintRange-error', { hasText: 'nowhere' })).toBeVisible();
	await alert.getByRole('button', { name: /\/base_url/ }).click();
	await admin.keyboard.insertText('"https://api.example/v1"');
	await expect(admin.getByRole('textbox', { name: 'connector JSON' })).toContainText('"base_url": "https://api.example/v1"');
});

test('invalid JSON is marked and not sent', async ({ admin, rest }) => {
	const world = await rest.world();
	await admin.goto(`/nodes/${world.node}`);
	await write(admin, 'node JSON', '{ "name": }');
	await expect(admin.getByText('Invalid JSON')).toBeVisible();
	await expect(admin.getByRole('button', { name: 'Save' })).toBeDisabled();
	await expect(admin.locator('.cm-lint-marker-error')).toBeVisible();
	admin.on('dialog', (dialog) => void dialog.accept());
	await admin.goto('/nodes');
});

test("another user's version is not overwritten without confirmation", async ({ admin, rest, faults }) => {
	const world = await rest.world();
	await admin.goto(`/connectors/${world.connector}`);
	await expect(admin.getByRole('textbox', { name: 'connector JSON' })).toContainText('base_url');
	await rest.call('PATCH', `/connectors/${world.connector}`, { name: `Theirs ${world.unique}` });
	await write(admin, 'connector JSON', { ...connector(world), name: `Mine ${world.unique}` });
	await admin.getByRole('button', { name: 'Save' }).click();
	await expect(admin.getByRole('button', { name: 'Load the other version' })).toBeVisible();
	expectRefusal(faults, 412);
	await admin.getByRole('button', { name: 'Overwrite with mine' }).click();
	await expect(admin.getByRole('heading', { level: 1 })).toHaveText(`Mine ${world.unique}`);
});

test('a document in use is not deleted, and the question names what uses it', async ({ admin, rest }) => {
	const world = await rest.world();
	await admin.goto(`/connectors/${world.connector}`);
	await expect(admin.getByText(`used by Flux ${world.unique}`)).toBeVisible();
	await admin.getByRole('button', { name: 'Delete' }).click();
	const dialog = admin.getByRole('alertdialog', { name: /is in use$/ });
	await expect(dialog).toContainText(`It is used by Flux ${world.unique}.`);
	await expect(dialog.getByRole('button', { name: 'Delete' })).toBeDisabled();
	await admin.keyboard.press('Escape');
	await expect(dialog).toBeHidden();
	await expect(admin.getByRole('button', { name: 'Delete' })).toBeFocused();
});

test('a long list is searched, and selected documents are deleted together', async ({ admin, rest }) => {
	const { unique } = await rest.world();
	for (let index = 0; index < 65; index++) {
		await rest.call('POST', '/connectors', { id: `p${index}_${unique}`, name: `Sheet${index}x ${unique}`, base_url: 'https://api.example' });
	}
	await admin.goto('/connectors');
	const cards = admin.getByRole('list', { name: 'Connectors' }).getByRole('listitem');
	await expect(cards).toHaveCount(48);
	await expect(cards.first()).toContainText('Sheet64x');
	await admin.getByRole('button', { name: /^Show more/ }).click();
	await admin.getByLabel('Search connectors').fill(`Sheet1 ${unique}`);
	await expect(cards).toHaveCount(11);
	for (const name of [`Sheet11x ${unique}`, `Sheet12x ${unique}`]) await admin.getByLabel(`Select ${name}`).check();
	await admin.getByRole('button', { name: 'Delete 2' }).click();
	await admin.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click();
	await expect(cards).toHaveCount(9);
	for (let index = 0; index < 65; index++) if (index !== 11 && index !== 12) await rest.call('DELETE', `/connectors/p${index}_${unique}`);
});

test('a connector that is in use says so before it is deleted', async ({ admin, rest }) => {
	const world = await rest.world();
	await admin.goto('/connectors');
	await admin.getByLabel(`Select Replicate ${world.unique}`).check();
	await admin.getByRole('button', { name: 'Delete 1' }).click();
	const dialog = admin.getByRole('dialog');
	await expect(dialog).toContainText(`Flux ${world.unique}`);
	await expect(dialog.getByRole('button', { name: 'Delete', exact: true })).toBeDisabled();
});

import { expect, test } from './fixtures.ts';

test('the palette starts actions and shows what was chosen last first', async ({ admin, rest }) => {
	const world = await rest.world();
	await admin.goto('/jobs');
	await expect(admin.getByRole('heading', { level: 1, name: 'Jobs' })).toBeVisible();
	const search = admin.getByRole('combobox', { name: 'Go to' });
	const choose = async (text: string) => {
		await admin.keyboard.press('ControlOrMeta+k');
		await search.fill(text);
		await admin.keyboard.press('Enter');
		await expect(search).toHaveCount(0);
	};
	await choose('New connector');
	await expect(admin.getByRole('dialog', { name: 'New connector' })).toBeVisible();
	await expect(admin).toHaveURL('/connectors');
	await admin.keyboard.press('Escape');
	await choose('dark theme');
	await expect(admin.locator('html')).toHaveAttribute('data-theme', 'dark');
	await choose(`Try Flux ${world.unique}`);
	await expect(admin.getByRole('heading', { level: 1 })).toHaveText(`Run Flux ${world.unique}`);
	await admin.keyboard.press('ControlOrMeta+k');
	await expect(admin.getByRole('dialog').getByRole('option').first()).toContainText(`Try Flux ${world.unique}`);
	await admin.keyboard.press('Escape');

	const crumbs = admin.getByRole('navigation', { name: 'Breadcrumbs' });
	await expect(crumbs.getByRole('link')).toHaveText(['Nodes', `Flux ${world.unique}`]);
	await crumbs.getByRole('link', { name: 'Nodes' }).click();
	await expect(admin).toHaveTitle('Nodes · apiflow');
});

test('keys go to pages, search a list, and list themselves', async ({ admin }) => {
	await admin.goto('/secrets');
	await expect(admin.getByRole('heading', { level: 1, name: 'Secrets' })).toBeVisible();
	await admin.keyboard.press('g');
	await admin.keyboard.press('l');
	await expect(admin).toHaveURL('/library');
	await admin.getByLabel('Search the library').waitFor();
	await admin.keyboard.press('/');
	await expect(admin.getByLabel('Search the library')).toBeFocused();
	await admin.keyboard.type('g?w');
	await expect(admin.getByLabel('Search the library')).toHaveValue('g?w');
	await admin.getByRole('heading', { level: 1 }).click();
	await admin.keyboard.press('?');
	const dialog = admin.getByRole('dialog', { name: 'Keyboard shortcuts' });
	await expect(dialog).toContainText('Search the list');
	await dialog.getByRole('button', { name: 'Close' }).last().click();
	await expect(dialog).toHaveCount(0);
});

test('settings are kept, and tell about the server', async ({ admin }) => {
	await admin.goto('/settings');
	await expect(admin.getByRole('region', { name: 'Server' })).toContainText(/Version\s*\d+\.\d+\.\d+/);
	await admin.getByLabel('Dark').check();
	await admin.getByLabel('Text', { exact: true }).check();
	await admin.reload();
	await expect(admin.locator('html')).toHaveAttribute('data-theme', 'dark');
	await expect(admin.getByLabel('Text', { exact: true })).toBeChecked();
	const server = admin.getByRole('region', { name: 'Server' });
	await expect(server).toContainText(/Database\s*(SQLite|Postgres)/);
	await expect(server).toContainText('Allowed private hosts');
	await expect(admin.getByRole('region', { name: 'Limits' })).toContainText('Steps of a workflow');
});

test('dialogs and menus that are loaded when they open return the focus, and a dialog that cannot be loaded says so', async ({ admin, faults }) => {
	await admin.goto('/connectors');
	const create = admin.getByRole('button', { name: 'New connector' }).first();
	await create.click();
	await expect(admin.getByRole('dialog', { name: 'New connector' }).getByLabel('Name', { exact: true })).toBeVisible();
	await admin.keyboard.press('Escape');
	await expect(admin.getByRole('dialog')).toHaveCount(0);
	await expect(create).toBeFocused();

	const account = admin.getByRole('button', { name: /^Account menu for/ });
	for (const key of ['Enter', 'ArrowDown']) {
		await account.press(key);
		await expect(admin.getByRole('menuitem', { name: 'Settings' })).toBeVisible();
		await admin.keyboard.press('Escape');
		await expect(account).toBeFocused();
	}

	await admin.route('**/_app/immutable/**', (route) => route.abort());
	await admin.keyboard.press('Control+k');
	await expect(admin.getByRole('alert')).toContainText('could not be loaded');
	await expect.poll(() => faults.splice(0).some((fault) => fault.includes('ERR_FAILED'))).toBe(true);
});

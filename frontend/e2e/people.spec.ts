import { expect, expectRefusal, test } from './fixtures.ts';
import type { TokenInfo, User } from './types.ts';

test('an admin creates and deletes a user', async ({ admin, rest, faults }) => {
	const { unique } = await rest.world();
	const name = `ada_${unique}`;
	await admin.goto('/users');
	await expect(admin).toHaveURL('/user');
	const create = async () => {
		await admin.getByRole('button', { name: 'New user' }).click();
		const dialog = admin.getByRole('dialog', { name: 'New user' });
		await dialog.getByLabel('Username').fill(name);
		await dialog.getByLabel('Password').fill('correct horse battery');
		await dialog.getByRole('button', { name: 'Create user' }).click();
		return dialog;
	};
	await create();
	const row = admin.getByRole('list', { name: 'Users' }).getByRole('listitem').filter({ hasText: name });
	await expect(row).toContainText('user');

	const again = await create();
	await expect(again.getByRole('alert')).toContainText(name);
	expectRefusal(faults, 409);
	await admin.keyboard.press('Escape');

	await row.getByRole('button', { name: /^Delete user/ }).click();
	await admin.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
	await expect(row).toHaveCount(0);
});

test('an admin changes a user and resets their token', async ({ admin, rest, request }) => {
	const { unique } = await rest.world();
	const user = await rest.call<User>('POST', '/users', { username: `kim_${unique}`, password: 'correct horse battery' });
	await admin.goto('/user');
	await admin.getByRole('button', { name: `Edit user ${user.username}` }).click();
	const dialog = admin.getByRole('dialog', { name: `User ${user.username}` });
	await dialog.getByRole('button', { name: 'Reset token…' }).click();
	await dialog.getByRole('button', { name: 'Reset the token' }).click();
	const token = await dialog.locator('code').innerText();
	expect((await request.get('/api/v1/user', { headers: { Authorization: `Bearer ${token}` } })).status()).toBe(200);
	await dialog.getByLabel('Email').fill(`kim_${unique}@example.com`);
	await dialog.getByLabel('Role').selectOption('admin');
	await dialog.getByRole('button', { name: 'Save' }).click();
	await expect(dialog).toHaveCount(0);
	const changed = await rest.call<User>('GET', `/user/${user.id}`);
	expect([changed.email, changed.role]).toEqual([`kim_${unique}@example.com`, 'admin']);
	await rest.call('DELETE', `/user/${user.id}`);
});

test('users who are not admins do not see users', async ({ page, rest }) => {
	const { unique } = await rest.world();
	const user = { username: `bob_${unique}`, password: 'correct horse battery' };
	await rest.call<User>('POST', '/users', user);
	await page.request.post('/api/v1/login', { data: user });
	await page.goto('/workflows');
	await expect(page.getByRole('link', { name: 'Jobs' })).toBeVisible();
	await expect(page.getByRole('link', { name: 'Users' })).toHaveCount(0);
	await page.goto('/users');
	await expect(page.getByRole('heading', { level: 1 })).toHaveText('Account');
	await expect(page.getByRole('list', { name: 'Users' })).toHaveCount(0);
});

test('changing a password requires the current one', async ({ page, rest, faults }) => {
	const { unique } = await rest.world();
	const user = { username: `eve_${unique}`, password: 'correct horse battery' };
	await rest.call<User>('POST', '/users', user);
	await page.request.post('/api/v1/login', { data: user });
	await page.goto('/account');
	await page.getByLabel('Current password').fill('wrong');
	await page.getByLabel('New password').fill('another horse battery');
	await page.getByRole('button', { name: 'Change password' }).click();
	await expect(page.getByRole('alert')).toBeVisible();
	await expect(page).toHaveURL('/user');
	faults.length = 0;
	await page.getByLabel('Current password').fill(user.password);
	await page.getByLabel('New password').fill('another horse battery');
	await page.getByRole('button', { name: 'Change password' }).click();
	await expect(page.getByText('Changed')).toBeVisible();
	const reply = await page.request.post('/api/v1/login', { data: { ...user, password: 'another horse battery' } });
	expect(reply.status()).toBe(200);
});

test('a token is created, shown once, works, and is revoked', async ({ admin, rest, request }) => {
	const { unique } = await rest.world();
	await admin.goto('/account');
	await admin.getByLabel('Token name').fill(`ci ${unique}`);
	await admin.getByRole('button', { name: 'Create token' }).click();
	const token = await admin.getByText('Copy the token now').locator('..').locator('code').innerText();
	const me = () => request.get('/api/v1/user', { headers: { Authorization: `Bearer ${token}` } });
	expect((await me()).status()).toBe(200);

	await admin.reload();
	const row = admin.getByRole('list', { name: 'API tokens' }).getByRole('listitem').filter({ hasText: `ci ${unique}` });
	await expect(row).toBeVisible();
	expect(await admin.content()).not.toContain(token);
	await row.getByRole('button', { name: /^Delete token/ }).click();
	await admin.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
	await expect(row).toHaveCount(0);
	expect((await me()).status()).toBe(401);
	const { items } = await rest.call<{ items: TokenInfo[] }>('GET', '/user/tokens');
	expect(items.map(({ name }) => name)).not.toContain(`ci ${unique}`);
});

test('a token that is limited to a workflow may run it and nothing else', async ({ admin, rest, request }) => {
	const world = await rest.world();
	await admin.goto('/user');
	await admin.getByLabel('Token name').fill(`limited ${world.unique}`);
	await admin.getByLabel('Limit what the token may do').check();
	await admin.getByRole('button', { name: 'Create token' }).click();
	await expect(admin.getByRole('alert')).toContainText('Choose at least one workflow');
	await admin.getByRole('group', { name: 'May run workflows' }).getByLabel(`Cartoon ${world.unique}`).check();
	await admin.getByRole('button', { name: 'Add a provider' }).click();
	const provider = admin.getByRole('group', { name: 'Provider 1' });
	await provider.getByLabel('Connector').selectOption(world.connector);
	await provider.getByLabel('POST').uncheck();
	await admin.getByRole('button', { name: 'Create token' }).click();
	const headers = { Authorization: `Bearer ${await admin.getByText('Copy the token now').locator('..').locator('code').innerText()}` };
	await expect(admin.getByRole('list', { name: 'API tokens' }).getByRole('listitem').filter({ hasText: world.unique })).toContainText(`run ${world.workflow}, proxy to ${world.connector}`);
	const run = (path: string) => request.post(`/api/v1${path}/run`, { headers, data: { input: { prompt: 'x', input_image: 'https://replicate.delivery/in/person.png' } } });
	expect([(await run(`/workflow/${world.workflow}`)).status(), (await run(`/node/${world.node}`)).status(), (await request.get('/api/v1/workflows', { headers })).status()]).toEqual([202, 403, 403]);
	const { items } = await rest.call<{ items: { name: string; scopes: unknown }[] }>('GET', '/user/tokens');
	expect(items.find(({ name }) => name === `limited ${world.unique}`)?.scopes).toEqual([{ run: { workflows: [world.workflow] } }, { proxy: { connector: world.connector, methods: ['GET'], paths: ['**'] } }]);
});

test('the webhook secret is shown on demand and replaced', async ({ page, rest }) => {
	const { unique } = await rest.world();
	const user = { username: `hook_${unique}`, password: 'correct horse battery' };
	await rest.call<User>('POST', '/users', user);
	await page.request.post('/api/v1/login', { data: user });
	await page.goto('/user');
	const section = page.getByRole('region', { name: 'Webhook secret' });
	await expect(section.locator('code')).toHaveCount(0);
	await section.getByRole('button', { name: 'Show' }).click();
	const before = await section.locator('code').first().innerText();
	await section.getByRole('button', { name: 'Replace…' }).click();
	await page.getByRole('dialog').getByRole('button', { name: 'Replace' }).click();
	await expect(section).toContainText('The earlier secret still signs');
	expect(await section.locator('code').first().innerText()).not.toBe(before);
});

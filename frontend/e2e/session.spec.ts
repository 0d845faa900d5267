import { credentials, expect, expectRefusal, test } from './fixtures.ts';

test('a wrong password is refused with a reason', async ({ page, faults }) => {
	await page.goto('/login');
	await page.getByLabel('Username').fill('nobody');
	await page.getByLabel('Password').fill('not the password');
	await page.getByRole('button', { name: 'Log in' }).click();
	await expect(page.getByRole('alert')).toBeVisible();
	await expect(page).toHaveURL(/\/login$/);
	expectRefusal(faults, 401);
});

test('a deep link leads through the login page to its target, and logging out returns to the login page', async ({ page, faults }) => {
	await page.goto('/jobs?status=failed');
	await expect(page).toHaveURL('/login?next=%2Fjobs%3Fstatus%3Dfailed');
	expectRefusal(faults, 401);
	const { username, password } = credentials();
	await page.getByLabel('Username').fill(username);
	await page.getByLabel('Password').fill(password);
	await page.keyboard.press('Enter');
	await expect(page).toHaveURL('/jobs?status=failed');
	await expect(page.getByRole('heading', { name: 'Jobs', level: 1 })).toBeVisible();

	await page.getByRole('button', { name: /^Account menu for/ }).click();
	await page.getByRole('menuitem', { name: 'Log out' }).click();
	await expect(page).toHaveURL(/\/login$/);
	await page.goto('/connectors');
	await expect(page).toHaveURL('/login?next=%2Fconnectors');
	expectRefusal(faults, 401);
});

test('the page keeps no token where scripts can read it', async ({ admin }) => {
	await admin.goto('/workflows');
	await expect(admin.getByRole('heading', { name: 'Workflows', level: 1 })).toBeVisible();
	const kept = await admin.evaluate(() => [document.cookie, JSON.stringify(localStorage), JSON.stringify(sessionStorage)]);
	expect(kept).toEqual(['', '{}', expect.not.stringContaining('token')]);
});

test('the chosen theme stays', async ({ admin }) => {
	await admin.emulateMedia({ colorScheme: 'light' });
	await admin.goto('/workflows');
	await admin.getByRole('button', { name: /^Account menu for/ }).click();
	await admin.getByRole('menuitemradio', { name: 'Dark' }).click();
	await admin.reload();
	await expect(admin.locator('body')).toHaveCSS('background-color', 'rgb(17, 18, 21)');
});

test('an unknown URL shows an error', async ({ admin, faults }) => {
	await admin.goto('/nowhere');
	await expect(admin.getByRole('heading', { name: 'Page not found' })).toBeVisible();
	faults.length = 0;
});

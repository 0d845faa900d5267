import type { BrowserContext, Page } from '@playwright/test';
import { credentials, expect, expectRefusal, openEditor, test, workflow, type Rest, type World } from './fixtures.ts';

const description = (page: Page) => page.getByRole('textbox', { name: 'Description' });
const saveButton = (page: Page) => page.getByRole('button', { name: 'Save', exact: true });
const merge = (page: Page) => page.getByRole('dialog', { name: 'Combine both versions' });

interface Saved {
	name: string;
	description: string;
}

const read = (rest: Rest, world: World) => rest.call<Saved>('GET', `/workflows/${world.workflow}`);

/** The text that the browser keeps for a workflow. */
function keptText(page: Page, world: World): Promise<string> {
	return page.evaluate(
		(key) =>
			new Promise<string>((resolve, reject) => {
				const opening = indexedDB.open('apiflow-drafts');
				opening.onerror = () => reject(opening.error);
				opening.onsuccess = () => {
					const reading = opening.result.transaction('drafts').objectStore('drafts').get(key);
					reading.onsuccess = () => {
						opening.result.close();
						resolve(reading.result?.text ?? '');
					};
				};
			}),
		`workflow/${world.workflow}`
	);
}

/** Changes the description, and kills the page once the browser has kept the change. */
async function changeAndKill(page: Page, context: BrowserContext, world: World, text: string): Promise<Page> {
	await openEditor(page, world.workflow);
	await description(page).fill(text);
	await description(page).blur();
	await expect(page).toHaveTitle(/^● Cartoon/);
	await expect.poll(() => keptText(page, world)).toContain(text);
	const next = await context.newPage();
	await page.close();
	await next.goto(`/workflows/${world.workflow}`);
	return next;
}

test('unsaved changes are offered after the page was killed', async ({ admin, rest, context }) => {
	const world = await rest.world();
	const page = await changeAndKill(admin, context, world, 'Half a hat');
	await expect(page.getByText(/Unsaved changes from .* were kept/)).toBeVisible();
	await expect(description(page)).toHaveValue('Adds a hat, then makes a cartoon');
	await page.getByRole('button', { name: 'Restore them' }).click();
	await expect(description(page)).toHaveValue('Half a hat');
	await saveButton(page).click();
	await expect(page.getByText('Saved', { exact: true })).toBeVisible();
	expect((await read(rest, world)).description).toBe('Half a hat');
	await expect.poll(() => keptText(page, world)).toBe('');
	await page.close();
});

test('kept changes are combined with what was saved since', async ({ admin, rest, context }) => {
	const world = await rest.world();
	const path = `/workflows/${world.workflow}`;
	const page = await changeAndKill(admin, context, world, 'Half a hat');
	await rest.call('PATCH', path, { name: 'Renamed meanwhile' });
	await page.reload();
	await expect(page.getByText(/the workflow was saved since then/)).toBeVisible();
	await page.getByRole('button', { name: 'Restore them' }).click();
	await merge(page).getByRole('button', { name: 'Cancel' }).click();
	await expect(page.getByText(/Unsaved changes from .* were kept/), 'cancelling loses nothing').toBeVisible();
	await page.getByRole('button', { name: 'Restore them' }).click();
	await expect(merge(page).getByRole('textbox', { name: 'My version' })).toContainText('Half a hat');
	await merge(page).getByRole('button', { name: 'Save the right side' }).click();
	await expect(merge(page)).toHaveCount(0);
	await expect.poll(async () => (await read(rest, world)).description).toBe('Half a hat');
	expect((await read(rest, world)).name).toBe('Renamed meanwhile');
	await page.close();
});

test('two users save one workflow: the second combines both changes', async ({ admin, rest, browser, baseURL, faults }) => {
	const world = await rest.world();
	const bob = { username: `bob_${world.unique}`, password: 'correct horse battery' };
	await rest.call('POST', '/users', bob);
	const context = await browser.newContext({ baseURL });
	const second = await context.newPage();
	expect((await second.request.post('/api/v1/login', { data: bob })).ok()).toBe(true);
	await openEditor(admin, world.workflow);
	await openEditor(second, world.workflow);

	await second.getByRole('textbox', { name: 'Name', exact: true }).fill('Named by Bob');
	await description(second).fill('Described by Bob');
	await description(second).blur();
	await saveButton(second).click();
	await expect(second.getByText('Saved', { exact: true })).toBeVisible();
	await context.close();

	await description(admin).fill('Described by the admin');
	await description(admin).blur();
	await admin.keyboard.press('Control+s');
	await expect(admin.getByRole('alert')).toContainText('was saved elsewhere');
	expectRefusal(faults, 412);
	await admin.getByRole('button', { name: 'Compare and combine' }).click();
	await expect(merge(admin).getByRole('status')).toContainText('description');
	await expect(merge(admin).getByRole('textbox', { name: 'My version' })).toContainText('Named by Bob');
	await merge(admin).getByRole('button', { name: 'Save the right side' }).click();
	await expect(merge(admin)).toHaveCount(0);
	await expect(admin.getByText('Saved', { exact: true })).toBeVisible();
	expect(await read(rest, world)).toMatchObject({ name: 'Named by Bob', description: 'Described by the admin' });
	await expect(admin).toHaveTitle(/^Named by Bob/);
});

test('a session that ends while editing asks for a login, and the change is saved afterwards', async ({ admin, rest, faults }) => {
	const world = await rest.world();
	await openEditor(admin, world.workflow);
	await description(admin).fill('Written in two sessions');
	await description(admin).blur();
	await admin.context().clearCookies();
	await admin.keyboard.press('Control+s');
	const login = admin.getByRole('dialog', { name: 'Your session has ended' });
	await login.getByLabel('Password').fill(credentials().password);
	await login.getByRole('button', { name: 'Log in' }).click();
	await expect(login).toHaveCount(0);
	await expect(description(admin)).toHaveValue('Written in two sessions');
	await saveButton(admin).click();
	await expect(admin.getByText('Saved', { exact: true })).toBeVisible();
	expect((await read(rest, world)).description).toBe('Written in two sessions');
	expect(workflow(world).description).not.toBe('Written in two sessions');
	while (faults.some((fault) => fault.includes('status of 401'))) expectRefusal(faults, 401);
});

import { expect, openEditor, PICTURE, Rest, test as base, type World } from './fixtures.ts';
import { OwnServer } from './own-server.ts';
import type { Job, LoginReply } from './types.ts';

const ADMIN = { username: 'admin', password: 'correct-horse-battery' };
const program = process.env.APIFLOW_BINARY ?? '';

const test = base.extend<{ server: OwnServer; own: Rest }>({
	server: async ({}, use) => {
		const server = await OwnServer.create(program, new URL(process.env.FAKE_REPLICATE_URL!).host);
		await server.start(ADMIN);
		await use(server);
		await server.dispose();
	},
	// Pages belong to this server.
	baseURL: async ({ server }, use) => use(server.url),
	own: async ({ server, page, playwright }, use) => {
		const login = await page.request.post('/api/v1/login', { data: ADMIN });
		const request = await playwright.request.newContext({ baseURL: server.url });
		const rest = new Rest(request, ((await login.json()) as LoginReply).token);
		await rest.calm();
		await use(rest);
		await request.dispose();
	}
});

test.skip(program === '', 'APIFLOW_BINARY names no server that could be killed');

interface Saved {
	description: string;
}

test('after a kill of the server, a job goes on, its page follows it again, and unsaved changes are kept and saved', async ({ page, context, server, own, faults }) => {
	test.setTimeout(150_000);
	const world: World = await own.world();
	await own.standIn({ delay_ms: 6000 });
	const editor = await context.newPage();
	await openEditor(editor, world.workflow);
	const description = editor.getByRole('textbox', { name: 'Description' });
	await description.fill('Changed before the crash');

	const { id } = await own.call<Job>('POST', `/workflow/${world.workflow}/run`, { input: { input_image: PICTURE } });
	await page.goto(`/jobs/${id}`);
	const steps = page.getByRole('list', { name: 'Steps' }).locator('> li');
	await expect(steps.filter({ hasText: 'add_hat_step' })).toContainText('running');
	await expect(page.getByText('live', { exact: true })).toBeVisible();

	await server.kill();
	await expect(page.getByText('reconnecting', { exact: true })).toBeVisible();
	await expect(steps.filter({ hasText: 'add_hat_step' })).toContainText('running');
	await editor.keyboard.press('ControlOrMeta+s');
	await expect(editor.getByRole('alert')).toBeVisible();
	await expect(editor).toHaveTitle(/^● /);

	await server.start(ADMIN);
	await expect(page.getByRole('status').first()).toContainText('completed', { timeout: 90_000 });
	await expect(steps.filter({ hasText: 'cartoon_step' })).toContainText('completed');
	await expect(page.getByRole('region', { name: 'Output', exact: true }).getByRole('img').first()).toBeVisible();
	// Each step was called once: nothing that costs money was sent again.
	expect(await own.prompts()).toEqual(['Add a Hat to person', 'Make this a 90s cartoon']);

	await expect(description).toHaveValue('Changed before the crash');
	await editor.keyboard.press('ControlOrMeta+s');
	await expect(editor.getByText('Saved', { exact: true })).toBeVisible();
	expect((await own.call<Saved>('GET', `/workflows/${world.workflow}`)).description).toBe('Changed before the crash');
	// Requests that failed meanwhile are in the console.
	for (const fault of faults.splice(0)) expect(fault).toMatch(/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET|Failed to fetch/);
});

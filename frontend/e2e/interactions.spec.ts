import type { Page } from '@playwright/test';
import { branchedWorkflow } from './large-workflows.ts';
import { expect, FORM, gated, PICTURE, test } from './fixtures.ts';
import type { Job } from './types.ts';

const graph = (page: Page) => page.getByRole('region', { name: 'Workflow graph' });
const details = (page: Page) => page.getByRole('complementary', { name: 'Details' });

test('a workflow of 200 steps opens at a readable size, is changed and runs', async ({ admin, rest }) => {
	const world = await rest.world();
	const id = `large_${world.unique}`;
	test.setTimeout(120_000);
	await rest.standIn({ delay_ms: 0 });
	await rest.call('POST', '/workflows', branchedWorkflow(world, id, 200));
	await admin.goto(`/workflows/${id}`);
	const card = graph(admin).locator('.svelte-flow__node-card[data-id="step_1"]');
	await expect(card).toBeVisible({ timeout: 20_000 });
	// Cards are 220 wide: at 80 % or more, they can be read.
	expect((await card.boundingBox())!.width).toBeGreaterThanOrEqual(0.8 * 220 - 1);
	await card.click();
	await details(admin).getByLabel('Summary of the step').fill('The first of many');
	await expect(card).toContainText('The first of many');
	await admin.keyboard.press('ControlOrMeta+s');
	await expect(admin.getByText('Saved', { exact: true })).toBeVisible();
	await details(admin).getByRole('button', { name: 'Run up to here' }).click();
	const run = admin.getByRole('dialog');
	await run.getByLabel('input_image').fill(PICTURE);
	await run.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(card).toContainText('done', { timeout: 20_000 });
});

test('a graph is laid out by itself, and lies the same after a reload', async ({ admin, rest }) => {
	const world = await rest.world();
	const id = `still_${world.unique}`;
	await rest.call('POST', '/workflows', branchedWorkflow(world, id, 20));
	const cards = graph(admin).locator('.svelte-flow__node-card');
	const places = async () => {
		await expect(cards.first()).toBeVisible();
		return cards.evaluateAll((elements) => elements.map((element) => `${element.getAttribute('data-id')} ${(element as HTMLElement).style.transform}`));
	};
	await admin.goto(`/workflows/${id}`);
	const before = await places();
	expect(new Set(before.map((place) => place.split(' ').slice(1).join(' '))).size).toBe(before.length);
	await admin.reload();
	await expect.poll(places).toEqual(before);
});

test('on a phone, a job is read, approved and cancelled', async ({ admin, rest }) => {
	await admin.setViewportSize({ width: 390, height: 844 });
	const fits = async () => expect(await admin.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
	const world = await rest.world();
	const waiting = await rest.suspend(gated(world, { required_events: 1, resume_form: FORM }), { pictures: [PICTURE] });
	await admin.goto('/jobs?status=suspended');
	await admin.getByRole('list', { name: 'Jobs' }).getByRole('link', { name: new RegExp(`Gated ${world.unique}`) }).click();
	await expect(admin).toHaveURL(`/jobs/${waiting.id}`);
	await fits();
	await admin.getByLabel('note').fill('Add a tie');
	await admin.getByRole('button', { name: /^Approve/ }).click();
	await expect.poll(async () => (await rest.call<Job>('GET', `/jobs/${waiting.id}`)).status).toBe('completed');

	await rest.standIn({ delay_ms: 60_000 });
	const { id } = await rest.call<Job>('POST', `/workflow/${world.workflow}/run`, { input: { input_image: PICTURE } });
	await admin.goto(`/jobs/${id}`);
	await expect(admin.getByRole('list', { name: 'Steps' }).getByText('running').first()).toBeVisible();
	await admin.getByRole('button', { name: 'Cancel' }).click();
	await admin.getByRole('button', { name: 'Cancel the job' }).click();
	await expect.poll(async () => (await rest.call<Job>('GET', `/jobs/${id}`)).status).toBe('cancelled');
	await expect(admin.getByRole('status').first()).toContainText('cancelled');
	await fits();
});

test('while the server is away, a job stays on the page, and goes on when it is back', async ({ admin, rest, faults }) => {
	const world = await rest.world();
	await rest.standIn({ delay_ms: 4000 });
	const { id } = await rest.call<Job>('POST', `/workflow/${world.workflow}/run`, { input: { input_image: PICTURE } });
	await admin.goto(`/jobs/${id}`);
	const steps = admin.getByRole('list', { name: 'Steps' }).locator('> li');
	await expect(steps.filter({ hasText: 'add_hat_step' })).toContainText('running');
	await admin.context().setOffline(true);
	await expect.poll(async () => (await rest.call<Job>('GET', `/jobs/${id}`)).status, { timeout: 30_000 }).toBe('completed');
	await expect(steps.filter({ hasText: 'add_hat_step' })).toBeVisible();
	await admin.context().setOffline(false);
	await expect(admin.getByRole('status').first()).toContainText('completed', { timeout: 15_000 });
	// Requests that failed meanwhile are in the console.
	for (const fault of faults.splice(0)) expect(fault).toMatch(/ERR_INTERNET_DISCONNECTED|Failed to fetch/);
});

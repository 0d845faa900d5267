import { expectAccessible } from './axe.ts';
import { expect, expectRefusal, FORM, gated, node, PICTURE, test, workflow } from './fixtures.ts';

const PICTURES = { pictures: [PICTURE, `${PICTURE}?2`] };

test('two iterations wait for their own approvals, with a form: one is approved, one disapproved', async ({ admin, rest }) => {
	const world = await rest.world();
	const job = await rest.suspend(gated(world, { required_events: 1, timeout: 600, resume_form: FORM }), PICTURES);
	await admin.goto(`/jobs/${job.id}`);
	await expect(admin.getByRole('status').first()).toContainText('suspended');
	await expect(admin.getByText('The job is waiting for approval.')).toBeVisible();

	const first = admin.getByRole('region', { name: 'Approval for ask, each #1' });
	const second = admin.getByRole('region', { name: 'Approval for ask, each #2' });
	await expect(first).toContainText(/Waiting for an approval until .+, 9 m \d\d s left/);
	await first.getByRole('button', { name: /^Approve/ }).click();
	await expect(first.getByText('a value is required')).toBeVisible();
	await expect(second.getByText('a value is required')).toHaveCount(0);
	await first.getByLabel('note').fill('Add a tie');
	await first.getByRole('button', { name: /^Approve/ }).click();

	const steps = admin.getByRole('list', { name: 'Steps' }).locator('> li');
	const change = steps.filter({ has: admin.getByText('change', { exact: true }) });
	await expect(change).toContainText('completed');
	await expect(first).toHaveCount(0);
	await change.locator('summary').first().click();
	await change.getByRole('tab', { name: 'Input' }).click();
	await expect(change.getByRole('region', { name: 'Input of change' })).toContainText('Add a tie');

	// Disapproving requires no form.
	await second.getByRole('button', { name: /^Disapprove/ }).click();
	await expect(admin.getByRole('status').first()).toContainText('failed');
	await expect(admin.getByRole('alert')).toContainText('Disapproved by admin');
	await expect(change).toHaveCount(1);
});

test('a payload without a form can be any JSON, and is optional', async ({ admin, rest }) => {
	const world = await rest.world();
	const job = await rest.suspend(gated(world, { required_events: 1 }), { pictures: [PICTURE] });
	await admin.goto(`/jobs/${job.id}`);
	const form = admin.getByRole('region', { name: /^Approval for ask/ });
	await form.getByText('Add a payload').click();
	await form.getByLabel('Payload').fill('{"note"');
	await form.getByRole('button', { name: /^Approve/ }).click();
	await expect(form.getByLabel('Payload')).toHaveAttribute('aria-invalid', 'true');
	await form.getByLabel('Payload').fill('{"note": "Add a scarf"}');
	await form.getByRole('button', { name: /^Approve/ }).click();
	await expect(admin.getByRole('status').first()).toContainText('completed');
	const change = admin.getByRole('list', { name: 'Steps' }).locator('> li').filter({ has: admin.getByText('change', { exact: true }) });
	await change.locator('summary').first().click();
	await change.getByRole('tab', { name: 'Input' }).click();
	await expect(change.getByRole('region', { name: 'Input of change' })).toContainText('Add a scarf');
});

test('errors from the server are shown at their field, and the approval works with the keyboard', async ({ admin, rest, faults }) => {
	const world = await rest.world();
	const job = await rest.suspend(gated(world, { required_events: 1, resume_form: FORM }), { pictures: [PICTURE] });
	await admin.goto(`/jobs/${job.id}`);
	const form = admin.getByRole('region', { name: /^Approval for ask/ });
	await form.getByLabel('note').focus();
	await admin.keyboard.type('Add a tie');
	// The job is refetched meanwhile. The entered text stays.
	await admin.waitForResponse(`**/api/v1/jobs/${job.id}?**`);
	await expect(form.getByLabel('note')).toHaveValue('Add a tie');
	await admin.keyboard.press('Tab');
	await admin.keyboard.type('11');
	await admin.keyboard.press('Enter');
	await expect(form.getByLabel('score')).toHaveAttribute('aria-invalid', 'true');
	await expect(form.getByRole('alert')).toBeVisible();
	expectRefusal(faults, 422);
	await form.getByLabel('score').fill('10');
	await admin.keyboard.press('Tab');
	await expect(form.getByRole('button', { name: /^Approve/ })).toBeFocused();
	await admin.keyboard.press('Space');
	await expect(admin.locator(':focus').getByRole('region', { name: 'Output', exact: true })).toBeVisible();
	await expect(admin.getByRole('status').first()).toContainText('completed');
});

test('of two approvals, one is given on the page and one through a copied link', async ({ admin, rest, context, browser }) => {
	await context.grantPermissions(['clipboard-read', 'clipboard-write']);
	const world = await rest.world();
	const job = await rest.suspend(gated(world, { required_events: 2, resume_form: FORM }), { pictures: [PICTURE] });
	await admin.goto(`/jobs/${job.id}`);
	const form = admin.getByRole('region', { name: /^Approval for ask/ });
	await expect(form).toContainText('Waiting for 2 approvals');
	await form.getByLabel('note').fill('Add a tie');
	await form.getByRole('button', { name: /^Approve/ }).click();
	await expect(form.getByRole('status').filter({ hasText: 'You approved' })).toContainText('2 approvals are required');
	await expect(form.getByRole('button', { name: /pprove/ })).toHaveCount(0);

	await form.getByRole('button', { name: 'Copy link 2' }).click();
	await expect(form.getByRole('status').filter({ hasText: 'Copied' })).toHaveCount(1);
	const link = await admin.evaluate(() => navigator.clipboard.readText());
	const stranger = await (await browser.newContext()).newPage();
	await stranger.goto(link);
	await stranger.locator('input[type=text]').first().fill('Add a scarf');
	await stranger.getByRole('button', { name: 'Approve', exact: true }).click();
	await expect(stranger.getByRole('heading', { name: 'Approved' })).toBeVisible();
	await stranger.context().close();

	await expect(form).toHaveCount(0);
	await expect(admin.getByRole('status').first()).toContainText('completed');
});

test("a user can't approve twice", async ({ admin, rest, faults }) => {
	const world = await rest.world();
	const job = await rest.suspend(gated(world, { required_events: 2 }), { pictures: [PICTURE] });
	await rest.call('POST', `/jobs/${job.id}/resume`, { step: 'ask', action: 'resume' });
	await admin.goto(`/jobs/${job.id}`);
	const form = admin.getByRole('region', { name: /^Approval for ask/ });
	await form.getByRole('button', { name: /^Approve/ }).click();
	await expect(form.getByRole('alert')).toContainText('you have already answered this approval');
	expectRefusal(faults, 409);
});

test('a suspended job is shown as suspended in the list of jobs', async ({ admin, rest }) => {
	const world = await rest.world();
	const job = await rest.suspend(gated(world, { required_events: 1 }), { pictures: [PICTURE] });
	await admin.goto('/jobs?status=suspended');
	const row = admin.getByRole('list', { name: 'Jobs' }).getByRole('listitem').filter({ has: admin.locator(`[href="/jobs/${job.id}"]`) });
	await expect(row).toContainText('suspended');
	await expect(row.locator('svg').filter({ visible: true }).first()).toBeVisible();
});

for (const colorScheme of ['light', 'dark'] as const) {
	test(`what is to be approved is shown to a stranger with the link, on a phone, ${colorScheme}`, async ({ rest, browser, admin }) => {
		const world = await rest.world();
		await rest.call('PUT', `/nodes/${world.node}`, { ...node(world), output: [{ name: 'output_image', type: 'image', mapping: 'output' }] });
		await rest.standIn({ delivery: 'local' });
		const { nodes } = workflow(world);
		const form = { schema: { ...FORM.schema, properties: { ...FORM.schema.properties, style: { enum: ['flat', 'deep'] }, loud: { type: 'boolean', title: 'Louder' } } } };
		Object.assign(nodes.value.modules[0]!, { suspend: { required_events: 1, resume_form: form } });
		const job = await rest.suspend(nodes, { input_image: PICTURE });

		await admin.goto(`/jobs/${job.id}`);
		const gate = admin.getByRole('region', { name: 'Approval for add_hat_step' });
		const shown = gate.getByRole('img', { name: 'output_image' });
		await expect.poll(() => shown.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(256);

		const context = await browser.newContext({ colorScheme, viewport: { width: 390, height: 844 } });
		const stranger = await context.newPage();
		const faults: string[] = [];
		stranger.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
		await stranger.goto(job.steps[0]!.approval!.urls[0]!);
		const picture = stranger.getByRole('img', { name: 'output_image' });
		await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(256);
		await expect(stranger.getByText(world.unique)).toBeVisible();
		expect(await stranger.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
		await expectAccessible(stranger);
		expect(faults).toEqual([]);

		await stranger.getByLabel('score').fill('11');
		await stranger.getByLabel('style').selectOption('deep');
		await stranger.getByLabel('Your name').fill('Cy');
		await stranger.getByRole('button', { name: 'Approve', exact: true }).click();
		await expect(stranger.getByRole('alert')).toBeVisible();
		await expect(stranger.getByText('a value is required')).toBeVisible();
		await expect(stranger.getByLabel('style')).toHaveValue('deep');
		await expect(stranger.getByLabel('Your name')).toHaveValue('Cy');
		await expectAccessible(stranger);
		await stranger.getByLabel('note').fill('Fine');
		await stranger.getByRole('button', { name: 'Approve', exact: true }).click();
		await expect(stranger.getByLabel('score')).toHaveAttribute('aria-invalid', 'true');
		await stranger.getByLabel('score').fill('10');
		await stranger.getByRole('button', { name: 'Approve', exact: true }).click();
		await expect(stranger.getByRole('heading', { name: 'Approved' })).toBeVisible();
		await expectAccessible(stranger);
		await context.close();
		await expect(admin.getByRole('status').first()).toContainText('completed');
	});
}

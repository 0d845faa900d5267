import type { Page } from '@playwright/test';
import { expect, expectRefusal, PICTURE, test, unknownJob, workflow } from './fixtures.ts';
import type { Job } from './types.ts';

const [HAT, CARTOON] = ['Add a Hat to person', 'Make this a 90s cartoon'];
const stepsOf = (page: Page) => page.getByRole('list', { name: 'Steps' }).locator('> li');

test('a failed job is rerun from its failed step without paying twice', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.standIn({ skip_creates: 1, fail_predictions: 1 });
	const job = await rest.run(world.workflow, { input_image: PICTURE });
	expect([job.status, await rest.prompts()]).toEqual(['failed', [HAT, CARTOON]]);
	await admin.goto(`/jobs/${job.id}`);
	const failed = stepsOf(admin).filter({ hasText: 'cartoon_step' });
	await failed.locator('summary').first().click();
	await expect(failed).toContainText('Reuses the result of 1 earlier step');
	await failed.getByRole('link', { name: 'Run again from here' }).click();
	await expect(admin.getByRole('list', { name: 'Steps of the rerun' }).getByRole('listitem')).toHaveText([/add_hat_step\s*reused/, /cartoon_step\s*runs/]);
	await expect(admin.getByRole('radio', { name: /^Version \d+, which the job ran/ })).toBeChecked();
	await admin.getByRole('button', { name: 'Run', exact: true }).click();

	await expect(admin).toHaveURL(/\/jobs\/[^/]+$/);
	await expect(admin.getByRole('status')).toContainText('completed');
	await expect(stepsOf(admin).filter({ hasText: 'completed' })).toHaveCount(2);
	expect(await rest.prompts()).toEqual([HAT, CARTOON, CARTOON]);
	await stepsOf(admin).first().locator('summary').first().click();
	await expect(stepsOf(admin).first()).toContainText('Runs all steps again.');
});

test('a failed job continues on the saved workflow, which repairs it', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.standIn({ skip_creates: 1, fail_predictions: 1 });
	const job = await rest.run(world.workflow, { input_image: PICTURE });
	const repaired = structuredClone(workflow(world));
	repaired.nodes.value.modules[1]!.value.input_transforms.prompt.value = 'Make it a comic';
	await rest.call('PUT', `/workflows/${world.workflow}`, repaired);
	const failed = job.steps.find(({ id }) => id === 'cartoon_step')!;
	await admin.goto(`/jobs/${job.id}/rerun?from=${failed.ordinal}`);
	await admin.getByLabel('strength').fill('7');
	await admin.getByRole('radio', { name: /^The saved workflow, version 2, saved/ }).check();
	await expect(admin.getByLabel('strength'), 'what was entered stays').toHaveValue('7');
	await expect(admin.getByLabel('Start at').locator('option:checked')).toHaveText('cartoon_step');
	await admin.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(admin).toHaveURL(/\/jobs\/[^/]+$/);
	await expect(admin.getByRole('status').first()).toContainText('completed');
	await expect(admin.getByRole('link', { name: 'version 2' })).toBeVisible();
	expect(await rest.prompts()).toEqual([HAT, CARTOON, 'Make it a comic']);

	// A version without the step can't be continued from it.
	repaired.nodes.value.modules.pop();
	await rest.call('PUT', `/workflows/${world.workflow}`, repaired);
	await admin.goto(`/jobs/${job.id}/rerun?from=${failed.ordinal}`);
	await admin.getByRole('radio', { name: /^The saved workflow, version 3, saved/ }).check();
	await expect(admin.getByRole('alert')).toContainText('has no step cartoon_step');
	await expect(admin.getByRole('button', { name: 'Run', exact: true })).toBeDisabled();
	await admin.getByLabel('Start at').selectOption('');
	await expect(admin.getByRole('button', { name: 'Run', exact: true })).toBeEnabled();
});

test('a job is rerun with a changed input and its original workflow', async ({ admin, rest }) => {
	const world = await rest.world();
	const input = { input_image: PICTURE, strength: 3, options: { a: [1] } };
	const job = await rest.run(world.workflow, input);
	await admin.goto(`/jobs/${job.id}`);
	await admin.getByRole('link', { name: 'Run again' }).click();
	await expect(admin.getByRole('heading', { level: 1 })).toHaveText(`Run Cartoon ${world.unique} again`);
	await expect(admin.getByLabel('input_image')).toHaveValue(PICTURE);
	await admin.getByLabel('strength').fill('4');
	await admin.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(admin).toHaveURL(/\/jobs\/[^/]+$/);
	await expect(admin.getByRole('status')).toContainText('completed');
	const id = admin.url().split('/').at(-1)!;
	expect(id).not.toBe(job.id);
	const again = await rest.call<Job>('GET', `/jobs/${id}`);
	expect(again.input).toEqual({ ...input, style: 'cartoon', strength: 4 });
});

test('a node is rerun with the input of its job', async ({ admin, rest }) => {
	const world = await rest.world();
	const { id } = await rest.call<Job>('POST', `/node/${world.node}/run`, { input: { prompt: HAT, input_image: PICTURE } });
	await admin.goto(`/jobs/${id}`);
	await expect(admin.getByRole('status')).toContainText('completed');
	await admin.getByRole('link', { name: 'Run again' }).click();
	await expect(admin.getByRole('textbox', { name: 'input_image' })).toHaveValue(PICTURE);
	await admin.getByLabel('prompt').fill(CARTOON);
	await admin.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(admin).not.toHaveURL(/rerun$/);
	await expect(admin.getByRole('status')).toContainText('completed');
	expect(await rest.prompts()).toEqual([HAT, CARTOON]);
});

test('an input that the current workflow would not accept is shown completely', async ({ admin, rest, faults }) => {
	const world = await rest.world();
	const job = await rest.run(world.workflow, { input_image: PICTURE, options: { a: 1 } });
	const saved = await rest.call<{ nodes: { schema: { properties: Record<string, unknown> } } }>('GET', `/workflows/${world.workflow}`);
	delete saved.nodes.schema.properties.options;
	saved.nodes.schema.properties.input_image = { type: 'array' };
	await rest.call('PUT', `/workflows/${world.workflow}`, saved);
	await admin.goto(`/jobs/${job.id}/rerun`);
	await expect(admin.getByLabel('input_image')).toHaveValue(PICTURE);
	await admin.getByRole('radio', { name: /^The saved workflow/ }).check();
	await expect(admin.getByLabel('input_image')).toHaveValue(JSON.stringify(PICTURE));
	await expect(admin.getByLabel('options')).toHaveValue(JSON.stringify({ a: 1 }, null, 2));
	await rest.call('DELETE', `/workflows/${world.workflow}`);
	await admin.reload();
	await expect(admin.getByRole('radio')).toHaveCount(0);
	await expect(admin.getByLabel('input_image')).toHaveValue(PICTURE);
	expectRefusal(faults, 404);
	expectRefusal(faults, 404);
	await admin.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(admin.getByRole('status')).toContainText('completed');
});

test('a call with an unknown outcome is sent again only after confirmation', async ({ admin, rest, faults }) => {
	const job = await unknownJob(rest);
	await admin.goto(`/jobs/${job.id}`);
	await stepsOf(admin).locator('summary').first().click();
	await admin.getByRole('link', { name: 'Run again from here' }).click();
	const run = admin.getByRole('button', { name: 'Run', exact: true });
	await run.click();
	const dialog = admin.getByRole('alertdialog');
	await expect(dialog).toContainText('it may be paid twice');
	expectRefusal(faults, 409);
	await dialog.getByRole('button', { name: 'Cancel' }).click();
	await expect(dialog).toHaveCount(0);
	await expect(run).toBeFocused();
	await expect(admin).toHaveURL(/rerun/);
	expect(await rest.prompts()).toEqual([HAT]);

	await admin.keyboard.press('Enter');
	await dialog.getByRole('button', { name: 'Send again anyway' }).click();
	await expect(admin).not.toHaveURL(/rerun/);
	await expect(admin.getByRole('status')).toContainText('completed');
	expect(await rest.prompts()).toEqual([HAT, HAT]);
	expectRefusal(faults, 409);
});

test('the form asks about a call with an unknown outcome too', async ({ admin, rest, faults }) => {
	const job = await unknownJob(rest);
	await admin.goto(`/jobs/${job.id}/rerun`);
	await admin.getByLabel('input_image').fill(`${PICTURE}?2`);
	await admin.getByRole('button', { name: 'Run', exact: true }).click();
	await admin.getByRole('alertdialog').getByRole('button', { name: 'Send again anyway' }).click();
	await expect(admin.getByRole('status')).toContainText('completed');
	await expect(admin.getByRole('link', { name: /^input_image/ })).toHaveAttribute('href', `${PICTURE}?2`);
	expectRefusal(faults, 409);
});

test("an active job can't be rerun", async ({ admin, rest, faults }) => {
	const world = await rest.world();
	await rest.standIn({ delay_ms: 600_000 });
	const { id } = await rest.call<Job>('POST', `/workflow/${world.workflow}/run`, { input: { input_image: PICTURE } });
	await admin.goto(`/jobs/${id}`);
	await stepsOf(admin).locator('summary').first().click();
	await expect(admin.getByRole('tab', { name: 'Output' })).toBeVisible();
	await expect(admin.getByRole('link', { name: 'Run again from here' })).toHaveCount(0);
	await admin.goto(`/jobs/${id}/rerun`);
	await admin.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(admin.getByRole('alert')).toContainText('has not ended');
	expectRefusal(faults, 409);
	await rest.call('POST', `/jobs/${id}/cancel`);
});

import type { Page } from '@playwright/test';
import { expect, expectRefusal, openEditor, PICTURE, test, workflow, write } from './fixtures.ts';

const graph = (page: Page) => page.getByRole('region', { name: 'Workflow graph' });
const details = (page: Page) => page.getByRole('complementary', { name: 'Details' });
const runButton = (page: Page) => page.getByRole('button', { name: 'Run', exact: true });
const lastRun = (page: Page) => page.getByRole('status').filter({ hasText: 'Last run' });

/** Opens the job of the last run in its own tab. */
async function openJob(page: Page): Promise<Page> {
	const [tab] = await Promise.all([page.waitForEvent('popup'), page.getByRole('link', { name: 'Open job' }).click()]);
	await tab.route('https://replicate.delivery/**', (route) => route.fulfill({ contentType: 'image/png', body: Buffer.alloc(0) }));
	return tab;
}

test("the editor's content runs without being saved", async ({ admin, rest }) => {
	const world = await rest.world();
	await openEditor(admin, world.workflow);
	await expect(graph(admin).getByText('Add a Hat to person')).toBeVisible();
	const changed = structuredClone(workflow(world));
	changed.nodes.value.modules[0]!.value.input_transforms.prompt.value = 'Add a crown';
	await write(admin, 'workflow JSON', changed);
	await runButton(admin).click();
	const dialog = admin.getByRole('dialog', { name: 'Run the workflow' });
	await dialog.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(dialog.getByText('a value is required')).toBeVisible();
	await dialog.getByLabel('input_image').fill(PICTURE);
	await dialog.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(dialog).toHaveCount(0);
	await expect(lastRun(admin)).toContainText('completed');
	await expect(admin.getByText('Unsaved changes')).toBeVisible();
	expect(await rest.prompts()).toEqual(['Add a crown', 'Make this a 90s cartoon']);
	const tab = await openJob(admin);
	await expect(tab.getByRole('list', { name: 'Steps' }).locator('> li')).toHaveCount(2);
	await expect(tab.getByText('an unsaved version', { exact: true })).toBeVisible();
	await tab.goto(`/jobs?workflow=${world.workflow}`);
	await expect(tab.getByRole('list', { name: 'Jobs' }).getByRole('listitem')).toContainText([/unsaved version/]);
	await tab.close();
	// The next run starts with the same input.
	await runButton(admin).click();
	await expect(dialog.getByLabel('input_image')).toHaveValue(PICTURE);
	await admin.keyboard.press('Escape');
	await expect(runButton(admin)).toBeFocused();
});

test('a run stops after the selected step, and the next step runs alone with its result', async ({ admin, rest }) => {
	const world = await rest.world();
	await admin.goto(`/workflows/${world.workflow}`);
	await expect(details(admin).getByRole('button', { name: 'Run up to here' })).toHaveCount(0);
	await graph(admin).getByText('Add a Hat to person').click();
	await details(admin).getByRole('button', { name: 'Run up to here' }).click();
	const until = admin.getByRole('dialog', { name: 'Run up to add_hat_step' });
	await until.getByLabel('input_image').fill(PICTURE);
	await until.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(lastRun(admin)).toContainText('completed');
	expect(await rest.prompts()).toEqual(['Add a Hat to person']);

	await graph(admin).getByText('Make this a 90s cartoon').click();
	await details(admin).getByRole('button', { name: 'Run only this step' }).click();
	const only = admin.getByRole('dialog', { name: 'Run only cartoon_step' });
	await expect(only.getByLabel('Results of other steps')).toHaveValue(/"add_hat_step": \{\s+"output_image": "https:/);
	await only.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(only).toHaveCount(0);
	await expect(lastRun(admin)).toContainText('completed');
	expect(await rest.prompts()).toEqual(['Add a Hat to person', 'Make this a 90s cartoon']);
});

test('running a single step asks for the results it references, and shows errors about them', async ({ admin, rest, faults }) => {
	const world = await rest.world();
	await admin.goto(`/workflows/${world.workflow}`);
	await graph(admin).getByText('Make this a 90s cartoon').click();
	await details(admin).getByRole('button', { name: 'Run only this step' }).click();
	const dialog = admin.getByRole('dialog');
	const results = dialog.getByLabel('Results of other steps');
	await expect(results).toHaveValue('{\n  "add_hat_step": {}\n}');
	await results.fill('{"add_hat_step": ');
	await dialog.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(results).toHaveAttribute('aria-invalid', 'true');
	await results.fill('{"add_hat_step": {}, "add_hat_stepp": {}}');
	await dialog.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(dialog.getByRole('alert')).toContainText('add_hat_stepp');
	expectRefusal(faults, 422);
	await results.fill(JSON.stringify({ add_hat_step: { output_image: `${PICTURE}?mock` } }));
	await dialog.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(lastRun(admin)).toContainText('completed');
	const tab = await openJob(admin);
	const step = tab.getByRole('list', { name: 'Steps' }).locator('> li').filter({ hasText: 'cartoon_step' });
	await step.locator('summary').first().click();
	await step.getByRole('tab', { name: 'Input' }).click();
	await expect(step.getByRole('link', { name: /^input_image/ })).toHaveAttribute('href', /\?mock$/);
});

test('a step is selected with the keyboard, in the text or in the graph', async ({ admin, rest }) => {
	const world = await rest.world();
	await openEditor(admin, world.workflow);
	const card = graph(admin).locator('.svelte-flow__node').filter({ hasText: 'Make this a 90s cartoon' });
	const summary = details(admin).getByLabel('Summary of the step');
	await card.focus();
	await admin.keyboard.press('Enter');
	await expect(summary).toHaveValue('Make this a 90s cartoon');
	await expect(admin.getByText('Unsaved changes')).toHaveCount(0);
	await admin.keyboard.press('ArrowUp');
	await expect(summary).toHaveValue('Add a Hat to person');
	await admin.keyboard.press('Escape');
	await expect(summary).toHaveCount(0);
	// The cursor of the text selects the step that it is in.
	await admin.getByRole('textbox', { name: 'workflow JSON' }).getByText('"cartoon_step"').click();
	await expect(summary).toHaveValue('Make this a 90s cartoon');
	await details(admin).getByRole('button', { name: 'Run up to here' }).focus();
	await admin.keyboard.press('Enter');
	const dialog = admin.getByRole('dialog', { name: 'Run up to cartoon_step' });
	await expect(dialog.getByLabel('input_image')).toBeVisible();
	await dialog.getByLabel('input_image').focus();
	await admin.keyboard.type(PICTURE);
	await admin.keyboard.press('Enter');
	await expect(dialog).toHaveCount(0);
	await expect(lastRun(admin)).toContainText('completed');
});

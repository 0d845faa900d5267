import type { Page } from '@playwright/test';
import { expect, node, openEditor, PICTURE, test, workflow } from './fixtures.ts';

const graph = (page: Page) => page.getByRole('region', { name: 'Workflow graph' });
const details = (page: Page) => page.getByRole('complementary', { name: 'Details' });
const dialog = (page: Page) => page.getByRole('dialog');
const lastRun = (page: Page) => page.getByRole('status').filter({ hasText: 'Last run' });

test('Ctrl+Enter opens the form and starts the run, also while typing in the text', async ({ admin, rest }) => {
	const world = await rest.world();
	await openEditor(admin, world.workflow);
	await admin.getByRole('textbox', { name: 'workflow JSON' }).click();
	await admin.keyboard.press('Control+Enter');
	await dialog(admin).getByLabel('input_image').fill(PICTURE);
	await admin.keyboard.press('Control+Enter');
	await expect(dialog(admin)).toHaveCount(0);
	await expect(lastRun(admin)).toContainText('completed');
	await expect(admin.getByText('Saved', { exact: true }), 'the text is as it was').toBeVisible();
	expect(await rest.prompts()).toEqual(['Add a Hat to person', 'Make this a 90s cartoon']);
});

test('inputs come from the last run, a past run or a preset', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.run(world.workflow, { input_image: `${PICTURE}?first`, strength: 1 });
	await rest.run(world.workflow, { input_image: `${PICTURE}?second`, strength: 2 });
	await openEditor(admin, world.workflow);
	await expect(graph(admin).getByText('done').first()).toBeVisible();
	await admin.keyboard.press('Control+Enter');
	const image = dialog(admin).getByLabel('input_image');
	const inputs = dialog(admin).getByRole('combobox', { name: 'Inputs' });
	await expect(image).toHaveValue(`${PICTURE}?second`);
	await inputs.selectOption({ index: 2 });
	await expect(image).toHaveValue(`${PICTURE}?first`);
	await expect(dialog(admin).getByLabel('strength')).toHaveValue('1');

	await image.fill(`${PICTURE}?kept`);
	await dialog(admin).getByRole('button', { name: 'Save as preset' }).click();
	await dialog(admin).getByRole('textbox', { name: 'Name of the preset' }).fill('Ada');
	await admin.keyboard.press('Enter');
	await expect(inputs).toHaveValue('preset:Ada');
	await admin.reload();
	await expect(graph(admin).getByText('done').first()).toBeVisible();
	await admin.keyboard.press('Control+Enter');
	await expect(image).toHaveValue(`${PICTURE}?second`);
	await inputs.selectOption('Ada');
	await expect(image).toHaveValue(`${PICTURE}?kept`);
	await dialog(admin).getByRole('button', { name: 'Delete preset' }).click();
	await expect(inputs.getByRole('option', { name: 'Ada' })).toHaveCount(0);
	await expect(dialog(admin)).toBeVisible();
});

test('a run from a step on reuses the results before it, on the changed workflow or on that of the last run', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.run(world.workflow, { input_image: PICTURE });
	await openEditor(admin, world.workflow);
	await graph(admin).getByText('Make this a 90s cartoon').click();
	await details(admin).getByRole('textbox', { name: 'prompt' }).fill('Make a poster');
	await details(admin).getByRole('textbox', { name: 'prompt' }).blur();
	await expect(admin.getByText('Unsaved changes')).toBeVisible();
	await details(admin).getByRole('button', { name: 'Run from here' }).click();
	const from = admin.getByRole('dialog', { name: 'Run from cartoon_step' });
	await expect(from.getByRole('status')).toContainText('Reuses the last results of add_hat_step');
	await expect(from.getByRole('radio', { name: 'Version 1, which the last run ran' })).toBeEnabled();
	await from.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(from).toHaveCount(0);
	await expect(lastRun(admin)).toContainText('completed');
	expect(await rest.prompts()).toEqual(['Add a Hat to person', 'Make this a 90s cartoon', 'Make a poster']);

	admin.once('dialog', (question) => void question.accept());
	await admin.reload();
	await admin.getByRole('button', { name: 'Discard' }).click();
	await graph(admin).getByText('Make this a 90s cartoon').click();
	await details(admin).getByRole('button', { name: 'Run from here' }).click();
	// That was the changed workflow, which was not saved.
	await from.getByRole('radio', { name: 'The workflow as the last run ran it' }).check();
	await from.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(from).toHaveCount(0);
	await expect(lastRun(admin)).toContainText('completed');
	expect((await rest.prompts()).slice(3)).toEqual(['Make a poster']);
});

test('the result of the last run is pinned; the card and the next run say so', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.run(world.workflow, { input_image: PICTURE });
	await rest.calm();
	await openEditor(admin, world.workflow);
	await graph(admin).getByText('Add a Hat to person').click();
	await details(admin).getByRole('tab', { name: 'Settings' }).click();
	await details(admin).getByRole('checkbox', { name: 'Pin the result' }).check();
	await expect(graph(admin).locator('.svelte-flow__node-card').first()).toContainText('uses a fixed result');
	await admin.keyboard.press('Control+Enter');
	await expect(dialog(admin)).toContainText('Uses the pinned output of add_hat_step');
	await admin.keyboard.press('Control+Enter');
	await expect(admin.getByText('used the pinned output of add_hat_step')).toBeVisible();
	await expect(lastRun(admin)).toContainText('completed');
	expect(await rest.prompts()).toEqual(['Make this a 90s cartoon']);
});

test('a dry run shows the taken branch, the requests with masked secrets and the cost, and takes other outputs', async ({ admin, rest }) => {
	const world = await rest.world();
	const priced = node(world);
	await rest.call('PUT', `/nodes/${world.node}`, { ...priced, data: { ...priced.data, price: { currency: 'USD', per_call: 0.25 } } });
	const forked = structuredClone(workflow(world));
	const [hat, cartoon] = forked.nodes.value.modules;
	const vintage = { ...structuredClone(cartoon!), id: 'vintage_step', summary: 'Make it look old' };
	const branches = [{ summary: 'Cartoon', expr: "flow_input.style === 'cartoon'", modules: [cartoon] }];
	await rest.call('PUT', `/workflows/${world.workflow}`, {
		...forked,
		nodes: { ...forked.nodes, value: { modules: [hat, { id: 'fork', value: { type: 'branchone', branches, default: [vintage] } }] } }
	});
	await openEditor(admin, world.workflow);
	await admin.keyboard.press('Control+Enter');
	await dialog(admin).getByLabel('input_image').fill(PICTURE);
	await dialog(admin).getByRole('button', { name: 'Dry run' }).click();
	const dry = admin.getByRole('dialog', { name: 'Dry run' });
	await expect(dry).toContainText('2 requests');
	await expect(dry).toContainText('about 0.50 USD');
	const step = (id: string) => dry.getByRole('group').filter({ has: admin.locator('summary', { hasText: id }) });
	await step('add_hat_step').locator('summary').first().click();
	await expect(step('add_hat_step')).toContainText('$E2E_REPLICATE_TOKEN');
	await step('add_hat_step').getByRole('button', { name: /^Change the output/ }).click();
	await step('add_hat_step').getByRole('textbox', { name: 'Output of add_hat_step' }).fill(`{"output_image": "${PICTURE}?mine"}`);
	await step('add_hat_step').getByRole('button', { name: 'Run again with it' }).click();
	await expect(step('add_hat_step')).toContainText('Output that you wrote');
	await step('cartoon_step').locator('summary').first().click();
	await expect(step('cartoon_step')).toContainText('?mine');
	await admin.keyboard.press('Escape');
	await expect(admin.getByText('The graph shows a dry run. Nothing was sent.')).toBeVisible();
	const card = (label: string) => graph(admin).locator('.svelte-flow__node-card').filter({ hasText: label });
	await expect(card('Make this a 90s cartoon')).toContainText('done');
	await expect(card('Make it look old')).not.toContainText('done');
	expect(await rest.prompts()).toEqual([]);
	await admin.getByRole('button', { name: 'Hide', exact: true }).click();
	await expect(card('Make this a 90s cartoon')).not.toContainText('done');
});

import type { Page } from '@playwright/test';
import { expect, node, openEditor, PICTURE, test, type World } from './fixtures.ts';
import type { Job } from './types.ts';

const graph = (page: Page) => page.getByRole('region', { name: 'Workflow graph' });
const details = (page: Page) => page.getByRole('complementary', { name: 'Details' });
const cards = (page: Page) => graph(page).locator('.svelte-flow__node-card');

/** Inserts a step of the node of a test with the mouse. */
async function insertNode(page: Page, { unique }: World, place: 'first' | 'last'): Promise<void> {
	const buttons = graph(page).getByRole('button', { name: 'Insert a step here' });
	await (place === 'first' ? buttons.first() : buttons.last()).click();
	const picker = page.getByRole('dialog', { name: 'Insert a step' });
	await picker.getByRole('combobox').fill(`Flux ${unique}`);
	await picker.getByRole('option', { name: `Flux ${unique}` }).first().click();
	await expect(picker).toHaveCount(0);
}

test('the founding workflow is built by hand, run and watched, without its text', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.call('PUT', `/nodes/${world.node}`, {
		...node(world),
		input: [
			{ name: 'prompt', type: 'string', required: true },
			{ name: 'input_image', type: 'image', required: true }
		],
		output: [{ name: 'output_image', type: 'image', mapping: 'output' }]
	});
	await rest.standIn({ delivery: 'local', delay_ms: 1000 });

	await admin.goto('/workflows');
	await admin.getByRole('button', { name: 'New workflow' }).click();
	const dialog = admin.getByRole('dialog', { name: 'New workflow' });
	await dialog.getByLabel('Name').fill(`By hand ${world.unique}`);
	await dialog.getByRole('button', { name: /^Empty workflow/ }).click();
	await expect(admin).toHaveURL(`/workflows/by-hand-${world.unique}`);

	await details(admin).getByRole('button', { name: 'Add an input' }).click();
	await details(admin).getByLabel('Name', { exact: true }).last().fill('photo');
	await details(admin).getByLabel('Name', { exact: true }).last().press('Enter');
	await details(admin).getByLabel('Type').selectOption('Image');
	await details(admin).getByLabel('Required').check();

	await insertNode(admin, world, 'last');
	await details(admin).getByRole('textbox', { name: /^prompt/ }).fill('Add a hat');
	await details(admin).getByRole('button', { name: 'Connect input_image to a value' }).click();
	await admin.getByRole('treeitem', { name: 'photo' }).click();
	await expect(details(admin).getByRole('textbox', { name: 'Expression of input_image' })).toHaveText('flow_input.photo');

	await insertNode(admin, world, 'last');
	await expect(cards(admin)).toHaveCount(2);
	// The nearest earlier picture is connected at once.
	await expect(details(admin).getByRole('textbox', { name: 'Expression of input_image' })).toHaveText(/^results\.\w+\.output_image$/);
	await details(admin).getByRole('textbox', { name: /^prompt/ }).fill('Make it a cartoon');
	await expect(admin.getByRole('button', { name: 'No problems found' })).toBeVisible();
	await admin.keyboard.press('ControlOrMeta+s');
	await expect(admin.getByText('Saved', { exact: true })).toBeVisible();

	await admin.keyboard.press('ControlOrMeta+Enter');
	const run = admin.getByRole('dialog', { name: 'Run the workflow' });
	await run.getByLabel('photo').fill(PICTURE);
	await run.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(cards(admin).first()).toContainText('running');
	await expect(cards(admin).last()).toContainText('running');
	await expect(cards(admin).last()).toContainText('done');
	await expect(cards(admin).first().locator('img')).toBeVisible();
	await expect(cards(admin).last().locator('img')).toBeVisible();

	const { items } = await rest.call<{ items: Job[] }>('GET', `/jobs?workflow_id=by-hand-${world.unique}`);
	expect(items.map(({ status }) => status)).toEqual(['completed']);
	await admin.goto(`/jobs/${items[0]!.id}`);
	const drawing = admin.getByRole('region', { name: 'Graph of the job' });
	await expect(drawing.locator('.svelte-flow__node-card')).toHaveCount(2);
	await drawing.locator('.svelte-flow__node-card').last().click();
	await expect(admin.getByRole('heading', { level: 2, name: /^n_/ })).toBeVisible();
	await admin.getByRole('tab', { name: 'Timeline' }).click();
	await expect(admin.getByRole('list', { name: 'Timeline' }).getByRole('button')).toHaveCount(2);
	await admin.goto('/artifacts');
	await admin.getByRole('list', { name: 'Artifacts' }).getByRole('button').first().click();
	await expect(admin.getByRole('dialog').getByRole('img')).toBeVisible();
});

test('steps are inserted, renamed, duplicated, moved and deleted, and each of it is one undo step', async ({ admin, rest }) => {
	const world = await rest.world();
	await openEditor(admin, world.workflow);
	await graph(admin).getByText('Add a Hat to person').click();
	await admin.keyboard.press('F2');
	await admin.keyboard.type('first');
	await admin.keyboard.press('Enter');
	await graph(admin).getByText('Make this a 90s cartoon').click();
	await expect(details(admin).getByRole('textbox', { name: 'Expression of input_image' })).toHaveText('results.first.output_image');
	await cards(admin).last().focus();
	await admin.keyboard.press('ControlOrMeta+d');
	await expect(cards(admin)).toHaveCount(3);
	await expect(details(admin).getByLabel('id', { exact: true })).toHaveValue('cartoon_step_2');

	await admin.locator('body').press('d');
	await expect(graph(admin).getByText('disabled')).toHaveCount(1);

	await graph(admin).getByText('Add a Hat to person').click();
	await admin.keyboard.press('Delete');
	await expect(cards(admin)).toHaveCount(2);
	await expect(admin.getByText(/Deleted first.*Still used by cartoon_step/)).toBeVisible();
	await admin.getByRole('button', { name: 'Undo' }).last().click();
	await expect(cards(admin)).toHaveCount(3);

	// Disabled, duplicated, renamed: the text is the saved one again, to the last character.
	for (let undone = 0; undone < 3; undone++) await admin.getByRole('button', { name: 'Undo', exact: true }).first().click();
	await expect(admin.getByText('Unsaved changes')).toHaveCount(0);
});

test('an input keeps its value and its expression, and a chosen value is written as an expression', async ({ admin, rest }) => {
	const world = await rest.world();
	await openEditor(admin, world.workflow);
	await graph(admin).getByText('Make this a 90s cartoon').click();
	const form = details(admin).getByRole('group', { name: 'Form of prompt' });
	await form.getByRole('button', { name: 'Expression' }).click();
	const expression = details(admin).getByRole('textbox', { name: 'Expression of prompt' });
	await expression.click();
	await admin.keyboard.type('"a " + flow_input.sty');
	await admin.getByRole('option', { name: 'style' }).click();
	await expect(expression).toHaveText('"a " + flow_input.style');
	await form.getByRole('button', { name: 'Value' }).click();
	await expect(details(admin).getByRole('textbox', { name: /^prompt/ })).toHaveValue('Make this a 90s cartoon');
	await form.getByRole('button', { name: 'Expression' }).click();
	await expect(expression).toHaveText('"a " + flow_input.style');
});

test('steps are copied into another workflow', async ({ admin, rest, context }) => {
	await context.grantPermissions(['clipboard-read', 'clipboard-write']);
	const [from, to] = [await rest.world(), await rest.world()];
	await openEditor(admin, from.workflow);
	await cards(admin).last().click();
	await admin.keyboard.press('ControlOrMeta+c');
	await openEditor(admin, to.workflow);
	await cards(admin).last().click();
	await admin.keyboard.press('ControlOrMeta+v');
	await expect(cards(admin)).toHaveCount(3);
	await expect(details(admin).getByLabel('id', { exact: true })).toHaveValue('cartoon_step_2');
	await expect(details(admin).getByRole('link', { name: `Flux ${from.unique}` })).toBeVisible();
});

test('a loop and a branch get steps inside', async ({ admin, rest }) => {
	const world = await rest.world();
	await openEditor(admin, world.workflow);
	await admin.locator('body').press('n');
	const picker = admin.getByRole('dialog', { name: 'Insert a step' });
	await picker.getByRole('combobox').fill('for each');
	await admin.keyboard.press('Enter');
	await expect(graph(admin).getByText('For each item')).toBeVisible();
	await expect(details(admin).getByRole('textbox', { name: 'Expression of items' })).toBeVisible();
	// The button inside the empty loop is the one before the last.
	await graph(admin).getByRole('button', { name: 'Insert a step here' }).nth(3).click();
	await picker.getByRole('combobox').fill('choice');
	await admin.keyboard.press('Enter');
	await expect(details(admin).getByLabel('Name of branch 1')).toHaveValue('Condition');
	await details(admin).getByRole('button', { name: 'Add a branch' }).click();
	await expect(details(admin).getByLabel('Name of branch 2')).toBeVisible();
	await expect(graph(admin).getByText('choice ·')).toBeVisible();
});

test('the palette goes anywhere, and shortcuts are listed', async ({ admin, rest }) => {
	const world = await rest.world();
	await admin.goto('/jobs');
	await expect(admin.getByRole('heading', { level: 1, name: 'Jobs' })).toBeVisible();
	await admin.keyboard.press('ControlOrMeta+k');
	await admin.getByRole('dialog').getByRole('combobox').fill(`Cartoon ${world.unique}`);
	await admin.getByRole('dialog').getByRole('option', { name: new RegExp(`^Cartoon ${world.unique}`) }).click();
	await expect(admin).toHaveURL(`/workflows/${world.workflow}`);
	await expect(cards(admin).first()).toBeVisible();
	await admin.locator('body').press('?');
	await expect(admin.getByRole('dialog', { name: 'Keyboard shortcuts' })).toContainText('Insert a step');
});

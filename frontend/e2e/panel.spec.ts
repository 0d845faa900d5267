import type { Page } from '@playwright/test';
import { expect, node, openEditor, PICTURE, PIXEL, test, type Rest, type World } from './fixtures.ts';

const graph = (page: Page) => page.getByRole('region', { name: 'Workflow graph' });
const details = (page: Page) => page.getByRole('complementary', { name: 'Details' });

interface Saved {
	nodes: { schema: Record<string, unknown>; value: { modules: { value: { input_transforms: Record<string, unknown> } }[] } };
}

/** Gives the node of a test the inputs, and opens the first step of its workflow. */
async function openStep(page: Page, rest: Rest, inputs: object[]): Promise<World> {
	const world = await rest.world();
	await rest.call('PUT', `/nodes/${world.node}`, { ...node(world), input: [...node(world).input, ...inputs] });
	await openEditor(page, world.workflow);
	await graph(page).getByText('Add a Hat to person').click();
	return world;
}

/** Saves the workflow and reads it from the server. */
async function save(page: Page, rest: Rest, { workflow }: World): Promise<Saved> {
	await page.keyboard.press('ControlOrMeta+s');
	await expect(page.getByText('Saved', { exact: true })).toBeVisible();
	return rest.call<Saved>('GET', `/workflows/${workflow}`);
}

test('objects and lists are edited as rows, and an entry can be an expression', async ({ admin, rest }) => {
	const world = await openStep(admin, rest, [
		{ name: 'options', type: 'object' },
		{ name: 'tags', type: 'array', items: { type: 'string' } }
	]);
	const panel = details(admin);
	await panel.getByRole('button', { name: 'Add a property to options' }).click();
	await expect(panel.getByLabel('Name of options.key')).toBeFocused();
	await admin.keyboard.type('steps');
	await admin.keyboard.press('Enter');
	await panel.getByLabel('Type of options.steps').selectOption('number');
	await panel.getByRole('textbox', { name: 'options.steps', exact: true }).fill('5');
	for (const tag of ['one', 'two']) {
		await panel.getByRole('button', { name: 'Add an item to tags' }).click();
		await admin.keyboard.type(tag);
	}
	await panel.getByRole('button', { name: 'Move tags 2', exact: true }).press('ArrowUp');
	await expect(panel.getByRole('button', { name: 'Move tags 1', exact: true })).toBeFocused();
	const transforms = async () => (await save(admin, rest, world)).nodes.value.modules[0]!.value.input_transforms;
	expect(await transforms()).toMatchObject({ options: { type: 'static', value: { steps: 5 } }, tags: { type: 'static', value: ['two', 'one'] } });

	await panel.getByRole('button', { name: 'Connect options.steps to a value' }).click();
	await admin.getByRole('treeitem', { name: 'strength' }).click();
	await expect(panel.getByText('the whole input is saved as one expression')).toBeVisible();
	expect((await transforms()).options).toEqual({ type: 'javascript', expr: '({ steps: flow_input.strength })' });
	await admin.reload();
	await graph(admin).getByText('Add a Hat to person').click();
	await expect(panel.getByRole('textbox', { name: 'Expression of options.steps' })).toHaveText('flow_input.strength');
	await panel.getByRole('button', { name: 'JSON of tags' }).click();
	await expect(panel.getByLabel('tags as JSON')).toHaveValue(/"two",\s+"one"/);
});

test('files are dropped, refused by type, and chosen among earlier ones', async ({ admin, rest }) => {
	const world = await openStep(admin, rest, [
		{ name: 'photo', type: 'image' },
		{ name: 'photos', type: 'array', items: { type: 'image' } }
	]);
	const panel = details(admin);
	const field = panel.getByRole('group', { name: 'File or URL' });
	const name = `hat-${world.unique}.png`;
	await field.locator('input[type=file]').setInputFiles({ name: 'a.mp4', mimeType: 'video/mp4', buffer: Buffer.from('x') });
	await expect(panel.getByRole('alert')).toHaveText('a.mp4 is a video; this input takes images');
	await field.locator('input[type=file]').setInputFiles({ name, mimeType: 'image/png', buffer: PIXEL });
	await expect(panel.getByRole('img', { name: 'The chosen file' })).toBeVisible();

	await panel.getByRole('button', { name: 'Add an item to photos' }).click();
	await field.last().getByRole('button', { name: 'Choose' }).click();
	const chooser = admin.getByRole('dialog', { name: 'Choose a file' });
	await chooser.getByRole('searchbox').fill(world.unique);
	await expect(chooser.getByRole('list', { name: 'Files' }).getByRole('button')).toHaveCount(1);
	await chooser.getByRole('button', { name: `Use ${name}` }).click();
	await expect(panel.getByRole('img', { name: 'The chosen file' })).toHaveCount(2);
	const { photo, photos } = (await save(admin, rest, world)).nodes.value.modules[0]!.value.input_transforms as Record<string, { value: unknown }>;
	expect(photos!.value).toEqual([expect.objectContaining({ artifact: expect.any(String), name })]);
	expect(photo!.value).toMatchObject({ name });
});

test('settings are made in forms, and an approval gets a form', async ({ admin, rest }) => {
	const world = await openStep(admin, rest, []);
	const panel = details(admin);
	await panel.getByRole('tab', { name: 'Settings' }).click();
	await panel.getByRole('checkbox', { name: 'Retry' }).check();
	await panel.getByLabel('Delay between attempts').selectOption('growing');
	await panel.getByLabel('Random part').fill('120');
	await expect(panel.getByText('must be at most 100')).toBeVisible();
	await panel.getByLabel('Random part').fill('20');
	await expect(panel.getByText('Waits 2.0 s, 4.0 s, 8.0 s.')).toBeVisible();
	await panel.getByLabel('Only retry certain failures').check();

	await panel.getByRole('checkbox', { name: 'Approval' }).check();
	await panel.getByRole('button', { name: 'Add a field' }).click();
	await expect(panel.getByLabel('Name', { exact: true })).toBeFocused();
	await admin.keyboard.type('note');
	await admin.keyboard.press('Enter');
	await panel.getByLabel('Not by oneself:').check();
	await panel.getByText('Preview of the form').click();
	await expect(panel.getByRole('group', { name: 'Preview of the form' }).getByRole('textbox', { name: 'note' })).toBeVisible();

	await panel.getByRole('checkbox', { name: 'Stop early' }).check();
	await panel.getByRole('combobox', { name: /^Then/ }).selectOption('fail with a message');
	await panel.getByRole('textbox', { name: 'Message' }).fill('no hat');
	const [step] = (await save(admin, rest, world)).nodes.value.modules as unknown as Record<string, unknown>[];
	expect(step).toMatchObject({
		retry: { exponential: { attempts: 3, multiplier: 1, seconds: 2, random_factor: 20 }, retry_if: { expr: 'error.name === "rate_limited"' } },
		suspend: { required_events: 1, timeout: 86_400, self_approval_disabled: true, resume_form: { schema: { properties: { note: { type: 'string' } } } } },
		stop_after_if: { expr: 'false', error_message: 'no hat' }
	});

	await graph(admin).getByText('Make this a 90s cartoon').click();
	await panel.getByRole('button', { name: 'Connect prompt to a value' }).click();
	await admin.getByRole('treeitem', { name: 'note' }).click();
	await expect(panel.getByRole('textbox', { name: 'Expression of prompt' })).toHaveText('resume.note');
});

test('inputs of the workflow are built in a form, and their names are changed everywhere', async ({ admin, rest }) => {
	const world = await rest.world();
	await openEditor(admin, world.workflow);
	const panel = details(admin);
	await panel.getByRole('button', { name: /^input_image/ }).click();
	await expect(panel.getByText('Used by add_hat_step')).toBeVisible();
	await panel.getByLabel('Name', { exact: true }).last().fill('photo');
	await admin.keyboard.press('Enter');
	await panel.getByRole('button', { name: /^strength/ }).click();
	await panel.getByLabel('Largest').fill('9');
	await panel.getByRole('textbox', { name: 'Default' }).fill('12');
	await expect(panel.getByText('must be at most 9')).toBeVisible();
	await panel.getByRole('textbox', { name: 'Default' }).fill('3');
	await panel.getByRole('button', { name: /^options/ }).click();
	await panel.getByRole('button', { name: 'Add a field' }).click();
	await admin.keyboard.type('steps');
	await admin.keyboard.press('Enter');
	await panel.getByRole('button', { name: 'Move style' }).press('ArrowUp');
	await panel.getByText('Settings', { exact: true }).click();
	await panel.getByRole('checkbox', { name: 'Delete old jobs' }).check();
	const saved = (await save(admin, rest, world)) as Saved & { retention: unknown };
	expect(saved.retention).toEqual({ jobs_days: 30 });
	expect(JSON.stringify(saved.nodes.value)).toContain('flow_input.photo');
	expect(Object.keys(saved.nodes.schema.properties as object)).toEqual(['style', 'photo', 'strength', 'options']);
	expect(saved.nodes.schema).toMatchObject({ required: ['photo'], properties: { strength: { exclusiveMinimum: 0, maximum: 9, default: 3 }, options: { properties: { steps: { type: 'string' } } } } });

	await panel.getByRole('button', { name: 'Delete input photo' }).click();
	await expect(admin.getByText('Deleted input photo. Still used by add_hat_step.')).toBeVisible();
	await admin.getByRole('button', { name: 'Undo' }).last().click();
	await expect(admin.getByText('Unsaved changes')).toHaveCount(0);
});

test('values are chosen with the keyboard alone, with those of the last run', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.run(world.workflow, workflowInput);
	await openEditor(admin, world.workflow);
	await graph(admin).getByText('Make this a 90s cartoon').click();
	const panel = details(admin);
	await panel.getByRole('button', { name: 'Connect prompt to a value' }).press('Enter');
	await expect(admin.getByRole('searchbox', { name: 'Search values' })).toBeFocused();
	await admin.keyboard.press('ArrowDown');
	await expect(admin.getByRole('treeitem', { name: 'add_hat_step' })).toBeFocused();
	// The step is open at first.
	await admin.keyboard.press('ArrowRight');
	await expect(admin.getByRole('treeitem', { name: 'output_image' })).toBeFocused();
	await expect(admin.getByRole('treeitem', { name: 'cartoon_step' })).toHaveCount(0);
	await admin.keyboard.press('ArrowLeft');
	await admin.keyboard.press('ArrowLeft');
	await expect(admin.getByRole('treeitem', { name: 'output_image' })).toHaveCount(0);
	await admin.keyboard.press('End');
	await expect(admin.getByRole('treeitem', { name: 'options' })).toBeFocused();
	await admin.keyboard.press('ArrowUp');
	await admin.keyboard.press('Enter');
	await expect(panel.getByRole('textbox', { name: 'Expression of prompt' })).toHaveText('flow_input.strength');
	await expect(panel.getByText('= 3')).toBeVisible();
	await panel.getByRole('button', { name: 'Change the expression of prompt' }).click();
	await admin.getByRole('menuitem', { name: 'Put into a text' }).click();
	await expect(panel.getByRole('textbox', { name: 'Expression of prompt' })).toHaveText('`${flow_input.strength} `');

	// While an expression is typed, the last run's values are in the list, and below it.
	const expression = panel.getByRole('textbox', { name: 'Expression of prompt' });
	await expression.click();
	await admin.keyboard.press('ControlOrMeta+a');
	await admin.keyboard.type('results.add_hat');
	await expect(admin.getByRole('option', { name: 'add_hat_step' })).toBeVisible();
	await admin.keyboard.press('Tab');
	await admin.keyboard.type('.');
	await expect(admin.getByRole('option', { name: /^output_image/ })).toContainText(/= https?:/);
	await admin.keyboard.press('Enter');
	await expect(expression).toHaveText('results.add_hat_step.output_image');
	await expect(panel.getByText(/^= https?:/).first()).toBeVisible();
	await panel.getByRole('tab', { name: 'Output' }).click();
	await expect(panel.getByRole('list', { name: 'Outputs' })).toContainText('output_image');
	await expect(panel.getByRole('list', { name: 'Outputs' }).getByRole('img')).toBeVisible();
});

const workflowInput = { input_image: PICTURE, strength: 3 };

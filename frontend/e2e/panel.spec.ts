import type { Page } from '@playwright/test';
import { expect, node, openEditor, PIXEL, test, workflow, type Rest, type World } from './fixtures.ts';

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
	await expect(page.getByText('Unsaved changes')).toHaveCount(0);
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

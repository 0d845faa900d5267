import type { Page } from '@playwright/test';
import { expectAccessible } from './axe.ts';
import { expect, test, workflow, type Rest, type World } from './fixtures.ts';

const graph = (page: Page) => page.getByRole('region', { name: 'Workflow graph' });
const card = (page: Page, id: string) => graph(page).locator(`.svelte-flow__node-card[data-id="${id}"]`);
const group = (page: Page, title: string) => graph(page).getByRole('group', { name: `Group ${title}`, exact: true });

test.use({ viewport: { width: 1400, height: 1000 } });

interface Value {
	modules: { id: string }[];
	groups?: Record<string, unknown>[];
}

const step = (id: string) => ({ id, value: { type: 'identity' } });

/** Saves a workflow with some steps and groups. */
async function save(rest: Rest, value: Value): Promise<World> {
	const world = await rest.world();
	const document = workflow(world);
	await rest.call('PUT', `/workflows/${world.workflow}`, { ...document, nodes: { ...document.nodes, value } });
	return world;
}

async function savedValue(page: Page, rest: Rest, { workflow }: World): Promise<Value> {
	await page.keyboard.press('ControlOrMeta+s');
	await expect(page.getByText('Saved', { exact: true })).toBeVisible();
	return (await rest.call<{ nodes: { value: Value } }>('GET', `/workflows/${workflow}`)).nodes.value;
}

const savedGroups = async (page: Page, rest: Rest, world: World) => (await savedValue(page, rest, world)).groups;

test('steps are grouped, named, coloured, annotated and ungrouped, each in one undo step', async ({ admin, rest }) => {
	const world = await save(rest, { modules: ['one', 'two', 'three', 'four'].map(step) });
	await admin.goto(`/workflows/${world.workflow}`);
	await card(admin, 'one').click();
	await card(admin, 'three').click({ modifiers: ['Shift'] });
	await admin.keyboard.press('ControlOrMeta+g');
	await expect(admin.getByText('Only steps that follow one another in one list can be grouped.')).toBeVisible();

	await card(admin, 'two').click();
	await card(admin, 'three').click({ modifiers: ['Shift'] });
	await admin.keyboard.press('ControlOrMeta+g');
	await expect(graph(admin).getByLabel('Title of the group')).toBeFocused();
	await admin.keyboard.type('Pictures');
	await admin.keyboard.press('Enter');
	await group(admin, 'Pictures').getByRole('button', { name: /^Change the colour of the group, now blue/ }).click();
	await group(admin, 'Pictures').getByRole('button', { name: 'Write a note about the group' }).click();
	await admin.keyboard.type('Made by one provider');
	await admin.keyboard.press('Escape');
	await expect(group(admin, 'Pictures').getByText('Made by one provider')).toBeVisible();
	expect(await savedGroups(admin, rest, world)).toEqual([{ summary: 'Pictures', start_id: 'two', end_id: 'three', color: 'green', note: 'Made by one provider' }]);

	// Its steps are renamed and deleted, and the group stays around what is left.
	await card(admin, 'two').click();
	await admin.getByRole('complementary', { name: 'Details' }).getByLabel('id', { exact: true }).fill('second');
	await admin.keyboard.press('Enter');
	await card(admin, 'three').click();
	await admin.keyboard.press('Delete');
	expect(await savedGroups(admin, rest, world)).toMatchObject([{ start_id: 'second', end_id: 'second' }]);

	await card(admin, 'second').click();
	await admin.keyboard.press('ControlOrMeta+Shift+g');
	await expect(group(admin, 'Pictures')).toHaveCount(0);
	await admin.keyboard.press('ControlOrMeta+z');
	await expect(group(admin, 'Pictures')).toBeVisible();
	await admin.keyboard.press('ControlOrMeta+z');
	await expect(card(admin, 'three')).toBeVisible();
	expect(await savedGroups(admin, rest, world)).toMatchObject([{ start_id: 'second', end_id: 'three' }]);
});

test('a group collapses to one card, stays so, and shows a step that is selected elsewhere', async ({ admin, rest }) => {
	const groups = [
		{ summary: 'Start', start_id: 'one', end_id: 'two' },
		{ summary: 'Rest', start_id: 'three', end_id: 'four', autocollapse: true },
		{ summary: 'Lost', start_id: 'gone', end_id: 'four' }
	];
	const world = await save(rest, { modules: ['one', 'two', 'three', 'four', 'five'].map(step), groups });
	await admin.goto(`/workflows/${world.workflow}`);
	await expect(group(admin, 'Rest').getByText('2 steps')).toBeVisible();
	await expect(card(admin, 'three')).toHaveCount(0);
	await expect(group(admin, 'Lost')).toHaveCount(0);
	for (const colorScheme of ['light', 'dark'] as const) {
		await admin.emulateMedia({ colorScheme });
		await expectAccessible(admin, { within: 'section[aria-label="Workflow graph"]' });
	}

	await card(admin, 'one').click();
	await admin.keyboard.press('c');
	await expect(card(admin, 'one')).toHaveCount(0);
	await group(admin, 'Rest').getByRole('button', { name: 'Show the steps of Rest' }).click();
	await expect(card(admin, 'four')).toBeVisible();
	// A step behind both groups is inserted at its place in the document.
	const bottom = await group(admin, 'Start').boundingBox().then((box) => (box ? box.y + box.height : 0));
	const places = await graph(admin).getByRole('button', { name: 'Insert a step here' }).all();
	const below = (await Promise.all(places.map(async (place) => ({ place, y: (await place.boundingBox())?.y ?? 0 })))).filter(({ y }) => y > bottom);
	await below.sort((one, other) => one.y - other.y)[0]?.place.click();
	await admin.getByRole('dialog', { name: 'Insert a step' }).getByRole('option', { name: /^Pass on/ }).first().click();
	await expect(card(admin, 'pass_on')).toBeVisible();
	const { groups: after, modules } = await savedValue(admin, rest, world);
	expect([modules.map(({ id }) => id), after]).toEqual([['one', 'two', 'pass_on', 'three', 'four', 'five'], groups]);
	await admin.reload();
	await expect(group(admin, 'Start').getByText('2 steps')).toBeVisible();
	await expect(card(admin, 'four')).toBeVisible();

	// The finding about the lost step has a fix, and a search opens the group.
	await admin.getByRole('button', { name: /1 warning/ }).click();
	await expect(admin.getByText(/so the group is not shown/)).toBeVisible();
	await admin.keyboard.press('/');
	await admin.keyboard.type('two');
	await admin.keyboard.press('Enter');
	await expect(card(admin, 'two')).toBeVisible();
});

test('a sub-flow is opened from the graph, and the way back finds the workflow as it was left', async ({ admin, rest }) => {
	const inner = await rest.world();
	const call = { id: 'make', value: { type: 'flow', path: `workflow/${inner.workflow}`, input_transforms: {} } };
	const outer = await save(rest, { modules: [...Array.from({ length: 12 }, (_, index) => step(`s${index}`)), call] });
	await admin.goto(`/workflows/${outer.workflow}`);
	await card(admin, 's0').click();
	await admin.keyboard.press('d');
	await expect(admin.getByText('Unsaved changes')).toBeVisible();
	await admin.keyboard.press('1');
	await card(admin, 'make').click();
	const before = await card(admin, 's5').boundingBox();
	await graph(admin).getByRole('link', { name: `Open the workflow ${inner.workflow}` }).click();

	const crumbs = admin.getByRole('navigation', { name: 'Breadcrumbs' });
	await expect(card(admin, 'add_hat_step')).toBeVisible();
	await expect(crumbs).toContainText('make');
	await admin.reload();
	await crumbs.getByRole('link', { name: /./ }).last().click();
	await expect(card(admin, 's5')).toBeVisible();
	await expect(admin.getByText('Unsaved changes')).toBeVisible();
	await expect(admin.getByRole('complementary', { name: 'Details' }).getByLabel('id', { exact: true })).toHaveValue('make');
	expect(await card(admin, 's5').boundingBox()).toEqual(before);

	await admin.keyboard.press('o');
	await expect(card(admin, 'add_hat_step')).toBeVisible();
	await admin.goBack();
	await expect(admin.getByText('Unsaved changes')).toBeVisible();
});

test('the palette starts the actions of the editor', async ({ admin, rest }) => {
	const world = await save(rest, { modules: ['one', 'two'].map(step) });
	await admin.goto(`/workflows/${world.workflow}`);
	await card(admin, 'one').click();
	const choose = async (words: string, name: string) => {
		await admin.keyboard.press('ControlOrMeta+k');
		await admin.getByRole('combobox', { name: 'Go to' }).fill(words);
		await admin.getByRole('option', { name }).first().click();
	};
	await choose('disable', 'Disable or enable the selected steps');
	await expect(admin.getByText('Unsaved changes')).toBeVisible();
	await choose('undo', 'Undo');
	await expect(admin.getByText('Saved', { exact: true })).toBeVisible();
	await choose('search st', 'Search steps');
	await expect(graph(admin).getByLabel('Search steps', { exact: true }).and(graph(admin).getByRole('textbox'))).toBeFocused();
	await choose('versions', 'Versions');
	await expect(admin.getByRole('dialog', { name: /^Versions/ })).toBeVisible();

	await admin.goto('/workflows');
	await expect(admin.getByRole('heading', { level: 1, name: 'Workflows' })).toBeVisible();
	await admin.keyboard.press('ControlOrMeta+k');
	await admin.getByRole('combobox', { name: 'Go to' }).fill('new workflow');
	await expect(admin.getByRole('option', { name: 'New workflow' })).toBeVisible();
	await admin.getByRole('combobox', { name: 'Go to' }).fill('undo');
	await expect(admin.getByRole('option', { name: 'Undo' })).toHaveCount(0);
});

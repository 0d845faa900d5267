import type { Locator, Page } from '@playwright/test';
import { expectAccessible } from './axe.ts';
import { expect, test, workflow, type Rest, type World } from './fixtures.ts';

const graph = (page: Page) => page.getByRole('region', { name: 'Workflow graph' });
const details = (page: Page) => page.getByRole('complementary', { name: 'Details' });
const cards = (page: Page) => graph(page).locator('.svelte-flow__node-card');
const card = (page: Page, id: string) => graph(page).locator(`.svelte-flow__node-card[data-id="${id}"]`);
const undo = (page: Page) => page.getByRole('button', { name: 'Undo', exact: true }).first();

test.use({ viewport: { width: 1400, height: 1000 } });

function script(id: string, node: string, expr = 'flow_input.input_image') {
	const input_transforms = { prompt: { type: 'static', value: id }, input_image: { type: 'javascript', expr } };
	return { id, value: { type: 'script', path: `node/${node}`, input_transforms } };
}

/** Saves a workflow with two steps, a loop, and a choice of two branches. Each of them has one step, which refers to the first. */
async function saveNested(rest: Rest): Promise<World> {
	const world = await rest.world();
	const document = workflow(world);
	const call = (id: string, expr?: string) => script(id, world.node, expr);
	const modules: object[] = [
		call('one'),
		call('two', 'results.one.output_image'),
		{ id: 'loop', value: { type: 'forloopflow', iterator: { type: 'static', value: [1] }, skip_failures: false, modules: [call('inner', 'results.one.output_image')] } },
		{
			id: 'choice',
			value: { type: 'branchone', branches: [{ summary: 'Left', expr: 'true', modules: [call('left', 'results.one.output_image')] }], default: [call('right')] }
		}
	];
	await rest.call('PUT', `/workflows/${world.workflow}`, { ...document, nodes: { ...document.nodes, value: { modules } } });
	return world;
}

/** Saves the changes, and returns the steps in their order: `one two loop(inner) choice(left|right)`. */
async function savedOrder(page: Page, rest: Rest, { workflow }: World): Promise<string> {
	await page.keyboard.press('ControlOrMeta+s');
	await expect(page.getByText('Saved', { exact: true })).toBeVisible();
	interface Value { modules?: Step[]; branches?: { modules: Step[] }[]; default?: Step[] }
	interface Step { id: string; value: Value }
	const describe = (list: Step[]): string => list.map(({ id, value }) => `${id}${inside(value)}`).join(' ');
	const inside = ({ modules, branches, default: other }: Value): string => {
		const lists = modules ? [modules] : branches ? [...branches.map((branch) => branch.modules), ...(other ? [other] : [])] : [];
		return lists.length > 0 ? `(${lists.map(describe).join('|')})` : '';
	};
	const { nodes } = await rest.call<{ nodes: { value: { modules: Step[] } } }>('GET', `/workflows/${workflow}`);
	return describe(nodes.value.modules);
}

async function open(page: Page, { workflow }: World): Promise<void> {
	await page.goto(`/workflows/${workflow}`);
	await expect(cards(page).first()).toBeVisible();
}

async function middle(of: Locator): Promise<{ x: number; y: number }> {
	const box = await of.boundingBox();
	if (!box) throw new Error('not visible');
	return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

/** Drags a card to the edge above another one, with the real mouse, and holds it there. */
async function dragAbove(page: Page, from: Locator, to: Locator): Promise<void> {
	const [start, end] = [await middle(from), await middle(to)];
	await page.mouse.move(start.x, start.y);
	await page.mouse.down();
	await page.mouse.move(start.x + 8, start.y + 8, { steps: 2 });
	await page.mouse.move(end.x, end.y - 50, { steps: 8 });
	await expect(graph(page).getByText('Move here')).toBeVisible();
}

test('steps are dragged to other edges, into and out of loops and branches', async ({ admin, rest }) => {
	const world = await saveNested(rest);
	await open(admin, world);
	await dragAbove(admin, card(admin, 'two'), card(admin, 'inner'));
	await admin.mouse.up();
	await expect(details(admin).getByLabel('id', { exact: true })).toHaveValue('two');
	expect(await savedOrder(admin, rest, world)).toBe('one loop(two inner) choice(left|right)');
	await expect(admin.getByText(/^Moved/)).toHaveCount(0);

	await dragAbove(admin, card(admin, 'inner'), card(admin, 'right'));
	await admin.mouse.up();
	await expect.poll(() => savedOrder(admin, rest, world)).toBe('one loop(two) choice(left|inner right)');

	// Out of the loop, before the step that it reads: the broken reference is named, and undone.
	await dragAbove(admin, card(admin, 'two'), card(admin, 'one'));
	await admin.mouse.up();
	await expect(admin.getByText('Moved two. two reads the result of one, which is not available there.')).toBeVisible();
	await admin.getByRole('listitem').filter({ hasText: 'Moved two' }).getByRole('button', { name: 'Undo' }).click();
	await expect.poll(() => savedOrder(admin, rest, world)).toBe('one loop(two) choice(left|inner right)');
});

test('Escape cancels dragging, and a card dropped beside the graph goes back', async ({ admin, rest }) => {
	const world = await saveNested(rest);
	await open(admin, world);
	const before = await middle(card(admin, 'one'));
	await dragAbove(admin, card(admin, 'one'), card(admin, 'inner'));
	await admin.keyboard.press('Escape');
	await expect(graph(admin).getByText('Move here')).toHaveCount(0);
	await admin.mouse.up();
	expect(await middle(card(admin, 'one'))).toEqual(before);
	await admin.mouse.down();
	await admin.mouse.move(before.x - 400, before.y + 300, { steps: 5 });
	await admin.mouse.up();
	expect(await middle(card(admin, 'one'))).toEqual(before);
	await expect(admin.getByText('Unsaved changes')).toHaveCount(0);
});

test('several steps are selected with a rectangle, with Shift and with the keyboard, and changed together', async ({ admin, rest, context }) => {
	await context.grantPermissions(['clipboard-read', 'clipboard-write']);
	const world = await saveNested(rest);
	await open(admin, world);
	const [first, second] = [(await card(admin, 'one').boundingBox())!, (await card(admin, 'two').boundingBox())!];
	await admin.keyboard.down('Shift');
	await admin.mouse.move(first.x - 30, first.y - 10);
	await admin.mouse.down();
	await admin.mouse.move(second.x + 100, second.y + 20, { steps: 6 });
	await admin.mouse.up();
	await expect(details(admin).getByRole('heading', { name: '2 steps selected' })).toBeVisible();
	await card(admin, 'right').click();
	await admin.keyboard.up('Shift');
	await expect(details(admin).getByRole('heading', { name: '3 steps selected' })).toBeVisible();

	// All of them are dragged by one of them, and keep their order.
	await dragAbove(admin, card(admin, 'two'), card(admin, 'left'));
	await admin.mouse.up();
	await expect.poll(() => savedOrder(admin, rest, world)).toBe('loop(inner) choice(one two right left|)');
	await expect(details(admin).getByRole('heading', { name: '3 steps selected' })).toBeVisible();

	await admin.keyboard.press('ControlOrMeta+d');
	await expect.poll(() => savedOrder(admin, rest, world)).toBe('loop(inner) choice(one two right one_2 two_2 right_2 left|)');
	await admin.keyboard.press('ControlOrMeta+x');
	await expect.poll(() => savedOrder(admin, rest, world)).toBe('loop(inner) choice(one two right left|)');

	// Pasted into another workflow, the references among the steps lead to the pasted ones.
	const other = await rest.world();
	await open(admin, other);
	await cards(admin).last().click();
	await admin.keyboard.press('ControlOrMeta+v');
	await expect(details(admin).getByRole('heading', { name: '3 steps selected' })).toBeVisible();
	expect(await savedOrder(admin, rest, other)).toBe('add_hat_step cartoon_step one_2 two_2 right_2');
	const saved = await rest.call('GET', `/workflows/${other.workflow}`);
	expect(JSON.stringify(saved)).toContain('results.one_2.output_image');

	await admin.keyboard.press('ControlOrMeta+a');
	await expect(details(admin).getByRole('heading', { name: '5 steps selected' })).toBeVisible();
	await admin.keyboard.press('Delete');
	await expect(cards(admin)).toHaveCount(0);
	await undo(admin).click();
	await expect(cards(admin)).toHaveCount(5);
});

test('steps are moved with the keyboard, into a loop and out of it', async ({ admin, rest }) => {
	const world = await saveNested(rest);
	await open(admin, world);
	await card(admin, 'one').click();
	const orders = ['two one loop(inner) choice(left|right)', 'two loop(one inner) choice(left|right)', 'two loop(inner one) choice(left|right)', 'two loop(inner) one choice(left|right)'];
	for (const order of orders) {
		await admin.keyboard.press('Alt+ArrowDown');
		await expect.poll(() => savedOrder(admin, rest, world)).toBe(order);
	}
	await admin.keyboard.press('Alt+ArrowUp');
	await expect.poll(() => savedOrder(admin, rest, world)).toBe(orders[2]!);
	await admin.keyboard.press('Shift+ArrowUp');
	await expect(details(admin).getByRole('heading', { name: '2 steps selected' })).toBeVisible();
});

test('loops and branches are collapsed, and remembered; what is selected is shown', async ({ admin, rest }) => {
	const world = await saveNested(rest);
	await open(admin, world);
	await graph(admin).getByRole('button', { name: 'Hide the steps of loop' }).click();
	await expect(card(admin, 'inner')).toHaveCount(0);
	await expect(card(admin, 'loop')).toContainText('1 step');
	await card(admin, 'choice').click();
	await admin.keyboard.press('c');
	await expect(card(admin, 'left')).toHaveCount(0);
	await expect(cards(admin)).toHaveCount(4);
	await admin.reload();
	await expect(cards(admin)).toHaveCount(4);

	// Steps are inserted and moved around collapsed ones.
	await card(admin, 'choice').click();
	await admin.keyboard.press('Alt+ArrowUp');
	await expect(card(admin, 'inner')).toBeVisible();
	expect(await savedOrder(admin, rest, world)).toBe('one two loop(inner choice(left|right))');
	await undo(admin).click();
	await admin.locator('body').press('Shift+c');
	await expect(card(admin, 'left')).toBeVisible();
	await admin.locator('body').press('Shift+c');
	await expect(cards(admin)).toHaveCount(4);
});

test('a sub-flow is opened in place, read-only, with a link', async ({ admin, rest }) => {
	const [inner, outer] = [await rest.world(), await rest.world()];
	const document = workflow(outer);
	const modules = [{ id: 'sub', summary: 'Cartoon', value: { type: 'flow', path: `workflow/${inner.workflow}`, input_transforms: { input_image: { type: 'javascript', expr: 'flow_input.input_image' } } } }, script('last', outer.node)];
	await rest.call('PUT', `/workflows/${outer.workflow}`, { ...document, nodes: { ...document.nodes, value: { modules } } });
	await open(admin, outer);
	await graph(admin).getByRole('button', { name: 'Show the steps of Cartoon' }).click();
	await expect(card(admin, 'sub/cartoon_step')).toContainText('Make this a 90s cartoon');
	await card(admin, 'sub/cartoon_step').click();
	await expect(details(admin).getByRole('heading', { name: 'Workflow' })).toBeVisible();
	await expect(graph(admin).getByRole('button', { name: 'Insert a step here' })).toHaveCount(3);
	await expect(graph(admin).getByRole('link', { name: `Open the workflow ${inner.workflow}` })).toHaveAttribute('href', `/workflows/${inner.workflow}?within=${outer.workflow}%2Fsub`);
	await graph(admin).getByRole('button', { name: 'Hide the steps of Cartoon' }).click();
	await expect(cards(admin)).toHaveCount(2);
});

test('an error handler and a preprocessor are added at the start, and a double click inserts a step', async ({ admin, rest }) => {
	const world = await rest.world();
	await open(admin, world);
	const picker = admin.getByRole('dialog', { name: 'Insert a step' });
	const choose = async (text: string) => {
		await picker.getByRole('combobox').fill(text);
		await admin.keyboard.press('Enter');
		await expect(picker).toHaveCount(0);
	};
	await graph(admin).getByRole('button', { name: 'Add: Error handler' }).click();
	await choose('Pass on');
	await expect(details(admin).getByLabel('id', { exact: true })).toHaveValue('failure');
	await expect(graph(admin).getByText('on failure')).toBeVisible();
	await graph(admin).getByRole('button', { name: 'Add: Preprocessor' }).click();
	await choose('Code');
	await expect(card(admin, 'preprocessor')).toBeVisible();
	await expect(graph(admin).getByRole('button', { name: /^Add: / })).toHaveCount(0);

	const { x, y } = await middle(card(admin, 'cartoon_step'));
	await admin.mouse.dblclick(x - 250, y + 70);
	await choose('Approval');
	await expect(card(admin, 'approval')).toBeVisible();
	await admin.keyboard.press('ControlOrMeta+s');
	await expect(admin.getByText('Saved', { exact: true })).toBeVisible();
	const { nodes } = await rest.call<{ nodes: { value: Record<string, { id: string } & { id: string }[]> } }>('GET', `/workflows/${world.workflow}`);
	expect([nodes.value.failure_module?.id, nodes.value.preprocessor_module?.id, nodes.value.modules?.at(-1)?.id]).toEqual(['failure', 'preprocessor', 'approval']);
});

test('steps are searched, and reached with the arrow keys; the view is zoomed with keys', async ({ admin, rest }) => {
	const world = await saveNested(rest);
	await open(admin, world);
	await admin.locator('body').press('Shift+c');
	await expect(card(admin, 'inner')).toHaveCount(0);
	await admin.locator('body').press('/');
	const field = graph(admin).getByRole('textbox', { name: 'Search steps' });
	await field.fill(`flux ${world.unique}`);
	await expect(graph(admin).getByText('5 found')).toBeVisible();
	await field.fill('inner');
	await admin.keyboard.press('Enter');
	// What was found is shown, although the loop was collapsed.
	await expect(card(admin, 'inner')).toBeVisible();
	await expect(graph(admin).getByText('1 of 1')).toBeVisible();
	await expect(details(admin).getByLabel('id', { exact: true })).toHaveValue('inner');
	await admin.keyboard.press('Escape');
	await expect(field).toHaveCount(0);

	await graph(admin).getByRole('button', { name: 'Show the steps of choice' }).click();
	await card(admin, 'choice').click();
	for (const [key, id] of [['ArrowDown', 'left'], ['ArrowRight', 'right'], ['ArrowUp', 'choice']] as const) {
		await admin.keyboard.press(key);
		await expect(details(admin).getByLabel('id', { exact: true })).toHaveValue(id);
	}
	const width = async () => Math.round((await card(admin, 'choice').boundingBox())!.width);
	await admin.keyboard.press('0');
	await expect.poll(width).toBe(220);
	await admin.keyboard.press('-');
	await expect.poll(width).toBeLessThan(200);
	await admin.keyboard.press('1');
	await expect(graph(admin).getByText('end', { exact: true })).toBeInViewport();
});

test('notes are written, moved with the mouse and the keyboard, coloured and deleted; each is one undo step', async ({ admin, rest }) => {
	const world = await rest.world();
	await open(admin, world);
	const notes = async () => {
		await admin.keyboard.press('ControlOrMeta+s');
		await expect(admin.getByText('Saved', { exact: true })).toBeVisible();
		type Note = { text: string; color: string; position: { x: number; y: number } };
		const { nodes } = await rest.call<{ nodes: { value: { notes?: Note[] } } }>('GET', `/workflows/${world.workflow}`);
		return nodes.value.notes;
	};
	await admin.locator('body').press('Shift+N');
	const text = graph(admin).getByRole('textbox', { name: 'Text of the note' });
	await expect(text).toBeFocused();
	await admin.keyboard.type('Check the prices\nbefore a change');
	await admin.keyboard.press('Escape');
	const [first] = (await notes())!;
	expect(first).toMatchObject({ text: 'Check the prices\nbefore a change', color: 'yellow' });

	const grip = graph(admin).getByRole('button', { name: 'Move the note with the arrow keys' });
	const from = await middle(grip);
	await admin.mouse.move(from.x, from.y);
	await admin.mouse.down();
	await admin.mouse.move(from.x - 200, from.y - 40, { steps: 5 });
	await admin.mouse.up();
	await graph(admin).getByRole('button', { name: 'Change the colour of the note' }).click();
	await grip.focus();
	await admin.keyboard.press('ArrowDown');
	const [second] = (await notes())!;
	expect(second!.position.x).toBeLessThan(first!.position.x - 150);
	expect(second!.color).toBe('blue');
	await graph(admin).getByRole('button', { name: 'Search steps' }).click();
	await admin.keyboard.type('hat');
	await expectAccessible(admin, { within: 'section[aria-label="Workflow graph"]' });
	await admin.keyboard.press('Escape');

	await graph(admin).getByRole('button', { name: 'Delete the note' }).click();
	await expect(text).toHaveCount(0);
	expect(await notes()).toBeUndefined();
	for (let undone = 0; undone < 2; undone++) await undo(admin).click();
	await expect(text).toHaveValue('Check the prices\nbefore a change');
	expect((await notes())?.[0]?.color).toBe('blue');
});

test.describe('with a finger', () => {
	test.use({ hasTouch: true, isMobile: true, viewport: { width: 390, height: 844 } });

	test('dragging on a card moves the view, not the card', async ({ admin, rest }) => {
		const world = await rest.world();
		await open(admin, world);
		await expect(cards(admin).first()).not.toHaveClass(/draggable/);
		await cards(admin).first().tap();
		await expect(details(admin).getByLabel('id', { exact: true })).toHaveValue('add_hat_step');
		expect(await admin.evaluate(() => document.documentElement.scrollWidth)).toBe(390);
	});
});

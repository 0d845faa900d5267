import { expect, type Locator, type Page } from '@playwright/test';

/** How a part of the story is performed: a test counts, the film takes pictures. */
export interface Performer {
	/** Clicks with the mouse. */
	click(target: Locator): Promise<void>;
	/** Clicks a field and types into it. */
	type(target: Locator, text: string): Promise<void>;
	/** Types where the cursor is. */
	write(text: string): Promise<void>;
	/** Chooses an option of a select field. */
	choose(target: Locator, label: string): Promise<void>;
	/** Gives a file to a file field. */
	give(target: Locator, file: { name: string; mimeType: string; buffer: Buffer }): Promise<void>;
	/** Called when something to look at has appeared, in another window if one is given. */
	look(what: string, window?: Page): Promise<void>;
}

/** What differs between a test and the film. */
export interface Setting {
	/** Name of the workflow. */
	name: string;
	/** The key of the provider. */
	key: string;
	/** A picture of a person. */
	picture: Buffer;
	/** Leads the connector of the library to the stand-in. */
	redirect(): Promise<void>;
}

const graph = (page: Page) => page.getByRole('region', { name: 'Workflow graph' });
const panel = (page: Page) => page.getByRole('complementary', { name: 'Details' });

/** Adds the node, its connector and its key from the library. */
async function addFromLibrary(page: Page, { click, type, look }: Performer, { key, redirect }: Setting): Promise<void> {
	await page.goto('/connectors');
	await expect(page.getByRole('heading', { level: 1, name: 'Connectors' })).toBeVisible();
	await look('the list of connectors');
	await click(page.getByRole('link', { name: 'Add from the library' }).first());
	await type(page.getByLabel('Search the library'), 'kontext pro');
	await click(page.getByRole('list', { name: 'Nodes of the library' }).getByRole('listitem').filter({ hasText: 'Replicate' }).getByRole('button', { name: /^Add/ }));
	const secret = page.getByRole('dialog', { name: 'New secret' });
	await type(secret.getByLabel('Value'), key);
	await look('the key of the provider');
	await click(secret.getByRole('button', { name: 'Save' }));
	await expect(secret).toHaveCount(0);
	await redirect();
}

/** Creates a workflow with a picture as its input. */
async function createWorkflow(page: Page, { click, type, write, choose, look }: Performer, { name }: Setting): Promise<void> {
	await click(page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Workflows' }));
	await click(page.getByRole('button', { name: 'New workflow' }).first());
	const dialog = page.getByRole('dialog', { name: 'New workflow' });
	await type(dialog.getByLabel('Name'), name);
	await click(dialog.getByRole('button', { name: /^Empty workflow/ }));
	await expect(graph(page).locator('.svelte-flow__node').first()).toBeVisible();
	await look('an empty workflow');
	await click(panel(page).getByRole('button', { name: 'Add an input' }));
	// The name of the new input is selected.
	await expect(panel(page).getByLabel('Name', { exact: true }).last()).toBeFocused();
	await write('photo');
	await choose(panel(page).getByLabel('Type'), 'Image');
	await click(panel(page).getByLabel('Required'));
}

/** Inserts a step at the end of the workflow, and connects its picture. */
async function insertStep(page: Page, { click, type, look }: Performer, prompt: string, source: string, expression: RegExp): Promise<void> {
	const cards = graph(page).locator('.svelte-flow__node-card');
	const before = await cards.count();
	await click(graph(page).getByRole('button', { name: 'Insert a step here' }).last());
	const picker = page.getByRole('dialog', { name: 'Insert a step' });
	await type(picker.getByRole('combobox'), 'kontext');
	await click(picker.getByRole('option', { name: /Kontext \[pro\]/ }).first());
	await expect(cards).toHaveCount(before + 1);
	await type(panel(page).getByRole('textbox', { name: /^prompt/ }), prompt);
	await click(panel(page).getByRole('button', { name: 'Connect input_image to a value' }));
	await look('the values that an input can be connected to');
	await click(page.getByLabel('Values for input_image').getByRole('treeitem', { name: source, exact: true }));
	await expect(panel(page).getByRole('textbox', { name: 'Expression of input_image' })).toHaveText(expression);
	await look(prompt);
}

/** Runs the workflow, watches it on its graph, and opens what it made. */
async function runAndWatch(page: Page, { click, give, look }: Performer, { picture }: Setting): Promise<void> {
	const cards = graph(page).locator('.svelte-flow__node-card');
	await click(page.getByRole('button', { name: 'Save' }));
	await expect(page.getByText('Saved', { exact: true })).toBeVisible();
	await click(page.getByRole('button', { name: 'Run', exact: true }));
	const dialog = page.getByRole('dialog', { name: 'Run the workflow' });
	await give(dialog.locator('input[type="file"]'), { name: 'person.png', mimeType: 'image/png', buffer: picture });
	await expect(dialog.getByRole('img')).toBeVisible();
	await look('the form of a run');
	await click(dialog.getByRole('button', { name: 'Run', exact: true }));
	await expect(cards.first()).toContainText('running');
	await look('the first step runs');
	await expect(cards.last()).toContainText('running');
	await look('the second step runs');
	await expect(cards.last()).toContainText('done');
	await expect(cards.locator('img')).toHaveCount(2);
	await look('both steps are done');
	const [job] = await Promise.all([page.waitForEvent('popup'), click(page.getByRole('link', { name: /^Open job/ }))]);
	await expect(job.getByRole('region', { name: 'Output', exact: true }).getByRole('img').first()).toBeVisible();
	await look('the pictures', job);
}

/**
 * The story that the product is judged by: from an account without documents to two pictures, with the mouse and by typing into
 * fields, without the text of the workflow.
 */
export async function tellFoundingStory(page: Page, performer: Performer, setting: Setting): Promise<void> {
	await addFromLibrary(page, performer, setting);
	await createWorkflow(page, performer, setting);
	await insertStep(page, performer, 'Add a hat to the person', 'photo', /^flow_input\.photo$/);
	await insertStep(page, performer, 'Make this a 90s cartoon', 'image', /^results\.\w+\.image$/);
	await runAndWatch(page, performer, setting);
}

import type { Page } from '@playwright/test';
import { credentials, expect, FORM, gated, PICTURE, PIXEL, test, workflow } from './fixtures.ts';
import { KeyboardUser } from './keys.ts';
import type { Job } from './types.ts';

const graph = (page: Page) => page.getByRole('region', { name: 'Workflow graph' });
const cards = (page: Page) => graph(page).locator('.svelte-flow__node-card');
const details = (page: Page) => page.getByRole('complementary', { name: 'Details' });
const text = (page: Page, label = 'workflow JSON') => page.getByRole('textbox', { name: label });
const options = (page: Page) => page.locator('.cm-tooltip-autocomplete:not(.cm-tooltip-autocomplete-disabled)').getByRole('option');

/** Replaces the text that has the focus. Its completion and brackets are those of somebody who types quickly. */
async function replaceText(page: Page, user: KeyboardUser, value: object): Promise<void> {
	await user.press('ControlOrMeta+a', 'Delete');
	await page.keyboard.insertText(JSON.stringify(value, null, 2));
}

/** Logs in, and makes a secret and a connector. */
async function prepare(page: Page, user: KeyboardUser, unique: string, origin: string): Promise<void> {
	await page.goto('/login');
	await expect(page.getByLabel('Username')).toBeFocused();
	const { username, password } = credentials();
	await user.type(username);
	await user.press('Tab');
	await user.type(password);
	await user.press('Enter');
	await expect(page.getByRole('heading', { name: 'Workflows', level: 1 })).toBeVisible();

	await user.goByPalette('new secret', 'New secret');
	const secret = page.getByRole('dialog', { name: 'New secret' });
	await user.goTo(secret.getByLabel('Name'));
	await user.type(`KEY_${unique}`);
	await user.goTo(secret.getByLabel('Value'));
	await user.type('r8_keyboard');
	await user.press('Enter');
	await expect(secret).toHaveCount(0);

	await user.goByPalette('new connector', 'New connector');
	const connector = page.getByRole('dialog', { name: 'New connector' });
	await user.goTo(connector.getByRole('tab', { name: 'Connection' }));
	await user.press('End');
	await expect(connector.getByRole('tab', { name: 'JSON' })).toHaveAttribute('aria-selected', 'true');
	await user.goTo(text(page, 'connector JSON'));
	await replaceText(page, user, { id: `keys_${unique}`, name: `Keys ${unique}`, base_url: `${origin}/v1`, method: 'POST', header: { Authorization: 'Bearer ' } });
	await find(user, 'Bearer ');
	await user.press('ArrowRight');
	await user.type(`$KEY_${unique}`);
	await expect(options(page)).toHaveText([new RegExp(`KEY_${unique}`)]);
	await user.press('Enter');
	await expect(text(page, 'connector JSON')).toContainText(`"Bearer $KEY_${unique}"`);
	// Tab leaves the text.
	await user.enter(connector.getByRole('button', { name: 'Create' }));
	await expect(connector).toHaveCount(0);
}

/** Asks for completions, narrows them down, and accepts the first one. */
async function complete(page: Page, user: KeyboardUser, typed: string, label: RegExp): Promise<void> {
	await user.press('Control+Space');
	await expect(options(page).first()).toBeVisible();
	await user.type(typed);
	await expect(options(page).first()).toHaveText(label);
	await user.press('Enter');
}

/** Types a reference, whose parts are completed. */
async function writeReference(page: Page, user: KeyboardUser, parts: readonly (readonly [typed: string, label: string])[]): Promise<void> {
	for (const [typed, label] of parts) {
		await user.type(typed);
		await expect(options(page).first()).toHaveText(new RegExp(`^${label}`));
		await user.press('Tab');
	}
	await expect(text(page)).toContainText(`"expr": "${parts.map(([, label]) => label).join('.')}"`);
}

/** Finds a text and selects it. */
async function find(user: KeyboardUser, searched: string): Promise<void> {
	await user.press('ControlOrMeta+f');
	await user.type(searched);
	await user.press('Enter', 'Escape');
}

test('the founding story is told by text, without the mouse', async ({ page, rest }) => {
	test.setTimeout(120_000);
	const user = await KeyboardUser.of(page);
	const { unique } = await rest.world();
	// The job opens in a window of its own.
	await page.context().route('https://replicate.delivery/**', (route) => route.fulfill({ contentType: 'image/png', body: PIXEL }));
	await prepare(page, user, unique, new URL(process.env.FAKE_REPLICATE_URL!).origin);

	for (const id of ['hat', 'cartoon']) {
		await user.goByPalette('new node', 'New node');
		const dialog = page.getByRole('dialog', { name: 'New node' });
		await user.goTo(dialog.getByRole('tab').first());
		await user.press('End');
		await user.goTo(text(page, 'node JSON'));
		await replaceText(page, user, {
			id: `${id}_${unique}`,
			name: `Keys ${id}`,
			connector_id: `keys_${unique}`,
			input: [
				{ name: 'prompt', type: 'string', required: true },
				{ name: 'input_image', type: 'string', required: true }
			],
			output: [{ name: 'output_image', type: 'string', mapping: 'output' }],
			data: { path: '/models/black-forest-labs/flux-kontext-pro/predictions', body: { input: '{{ input }}' }, operation: 'replicate' }
		});
		await user.enter(dialog.getByRole('button', { name: 'Create' }));
		await expect(dialog).toHaveCount(0);
	}

	await user.goByPalette('new workflow', 'New workflow');
	const dialog = page.getByRole('dialog', { name: 'New workflow' });
	await expect(dialog.getByLabel('Name')).toBeFocused();
	await user.type(`Keys ${unique}`);
	await user.enter(dialog.getByRole('button', { name: /^Empty workflow/ }));
	await expect(graph(page)).toBeVisible();
	await user.press('t');
	await expect(text(page)).toBeFocused();

	// Two steps are completed; their inputs are typed.
	await replaceText(page, user, { name: `Keys ${unique}`, nodes: { schema: { type: 'object', properties: { photo: { type: 'string' } }, required: ['photo'] }, value: { modules: [] } } });
	await find(user, '"modules": [');
	await user.press('ArrowRight');
	await complete(page, user, 'Keys hat', /^Keys hat/);
	await complete(page, user, 'prompt', /^prompt/);
	await user.type('Add a hat to the person');
	await user.press('ArrowDown', 'End');
	await user.type(', "input_image": {"type": "javascript", "expr": "');
	await writeReference(page, user, [['flo', 'flow_input.photo']]);
	await user.press('ControlOrMeta+End', 'ArrowUp', 'ArrowUp', 'ArrowUp', 'ArrowUp', 'End', 'Enter');
	await complete(page, user, 'Keys cart', /^Keys cartoon/);
	// The picture was connected; the same is typed once more.
	await find(user, `results.hat_${unique}.output_image`);
	await writeReference(page, user, [
		['hat', `results.hat_${unique}`],
		['.out', 'output_image']
	]);
	await user.press('ArrowDown', 'End');
	await complete(page, user, 'prompt', /^prompt/);
	await user.type('Make this a 90s cartoon');
	await user.press('Shift+Alt+f');
	await expect(page.getByRole('button', { name: 'No problems found' })).toBeVisible();
	await expect(cards(page)).toHaveCount(2);
	await user.press('ControlOrMeta+s');
	await expect(page.getByText('Saved', { exact: true })).toBeVisible();

	// It is run, watched on the graph, and its pictures are seen.
	await user.press('ControlOrMeta+Enter');
	const run = page.getByRole('dialog', { name: 'Run the workflow' });
	await user.goTo(run.getByLabel('photo'));
	await user.type(PICTURE);
	await user.press('Enter');
	await expect(run).toHaveCount(0);
	await expect(text(page)).toBeFocused();
	await expect(cards(page).first()).toContainText('running');
	await expect(cards(page).last()).toContainText('done', { timeout: 15_000 });
	await expect(cards(page).locator('img')).toHaveCount(2);

	// The pictures are looked at on the page of the job.
	const job = await Promise.all([page.waitForEvent('popup'), user.enter(page.getByRole('link', { name: /^Open job/ }), 'Shift+Tab')]).then(([popup]) => popup);
	const reader = await KeyboardUser.of(job);
	const output = job.getByRole('region', { name: 'Output', exact: true });
	await expect(output.getByRole('img').first()).toBeVisible();
	await reader.enter(output.getByRole('button', { name: /^Enlarge/ }).first());
	await expect(job.getByRole('dialog')).toBeVisible();
	await reader.press('ArrowRight', 'Escape');
	await expect(job.getByRole('dialog')).toHaveCount(0);
	await expect(output.getByRole('button', { name: /^Enlarge/ }).first()).toBeFocused();

	// What waits for a person is approved.
	const waiting = await rest.suspend(gated({ node: `hat_${unique}`, connector: '', workflow: '', unique }, { required_events: 1, resume_form: FORM }), { pictures: [PICTURE] });
	await reader.goByPalette(waiting.id, `Gated ${unique}`);
	await expect(job).toHaveURL(`/jobs/${waiting.id}`);
	await reader.goTo(job.getByLabel('note'));
	await reader.type('Add a tie');
	await reader.enter(job.getByRole('button', { name: /^Approve/ }));
	await expect.poll(async () => (await rest.call<Job>('GET', `/jobs/${waiting.id}`)).status).toBe('completed');
	user.expectNoPointer();
	reader.expectNoPointer();
});

test('the same workflow is built on the graph and in the panel with keys', async ({ admin, rest }) => {
	const user = await KeyboardUser.of(admin);
	const world = await rest.world();
	await admin.goto('/workflows');
	await expect(admin.getByRole('heading', { name: 'Workflows', level: 1 })).toBeVisible();
	await user.goByPalette('new workflow', 'New workflow');
	const dialog = admin.getByRole('dialog', { name: 'New workflow' });
	await expect(dialog.getByLabel('Name')).toBeFocused();
	await user.type(`Keys on the graph ${world.unique}`);
	await user.enter(dialog.getByRole('button', { name: /^Empty workflow/ }));
	await expect(graph(admin)).toBeVisible();

	await user.goTo(details(admin), 'F6');
	await user.enter(details(admin).getByRole('button', { name: 'Add an input' }));
	await expect(details(admin).getByLabel('Name', { exact: true }).last()).toBeFocused();
	await user.type('photo');
	for (const [prompt, source] of [['Add a hat', 'photo'], ['Make this a cartoon', 'output_image']] as const) {
		const before = await cards(admin).count();
		await user.goTo(graph(admin), 'F6');
		await user.press('n');
		const picker = admin.getByRole('dialog', { name: 'Insert a step' });
		await expect(picker.getByRole('combobox')).toBeFocused();
		await user.type(`Flux ${world.unique}`);
		await expect(picker.getByRole('option').first()).toContainText(`Flux ${world.unique}`);
		await user.press('Enter');
		await expect(cards(admin)).toHaveCount(before + 1);
		await expect(graph(admin)).toBeFocused();
		await user.press('F6');
		await user.goTo(details(admin).getByRole('textbox', { name: /^prompt/ }));
		await user.press('ControlOrMeta+a');
		await user.type(prompt);
		await user.enter(details(admin).getByRole('button', { name: 'Connect input_image to a value' }));
		await expect(admin.getByRole('searchbox', { name: 'Search values' })).toBeFocused();
		await user.goTo(admin.getByRole('treeitem', { name: source, exact: true }), 'ArrowDown');
		await user.press('Enter');
		await expect(details(admin).getByRole('textbox', { name: 'Expression of input_image' })).toHaveText(new RegExp(`\\.${source}$`));
	}
	await user.press('ControlOrMeta+s');
	await expect(admin.getByText('Saved', { exact: true })).toBeVisible();
	await user.press('ControlOrMeta+Enter');
	const run = admin.getByRole('dialog', { name: 'Run the workflow' });
	await user.goTo(run.getByLabel('photo'));
	await user.type(PICTURE);
	await user.press('Enter');
	await expect(cards(admin).last()).toContainText('done', { timeout: 15_000 });
	await expect(cards(admin).locator('img')).toHaveCount(2);
	user.expectNoPointer();
});

test('findings are gone through, explained and fixed with keys, and the focus returns to the text', async ({ admin, rest }) => {
	const user = await KeyboardUser.of(admin);
	const world = await rest.world();
	const card = admin.locator('.cm-tooltip:not(.cm-tooltip-autocomplete)');
	await admin.goto(`/workflows/${world.workflow}`);
	await expect(cards(admin).first()).toBeVisible();
	await user.press('t');
	await expect(text(admin)).toBeFocused();

	// A step is gone to, and renamed with its references.
	await user.press('ControlOrMeta+Shift+o');
	await expect(admin.getByRole('dialog', { name: 'Go to a step' }).getByRole('combobox')).toBeFocused();
	await user.type('add_hat');
	await user.press('Enter');
	await expect(text(admin)).toBeFocused();
	await user.press('F2');
	await expect(admin.getByRole('dialog', { name: 'Rename step add_hat_step' }).getByLabel('Id')).toBeFocused();
	await user.press('ControlOrMeta+a');
	await user.type('hat');
	await user.press('Enter');
	await expect(text(admin)).toContainText('"id": "hat"');
	await expect(admin.getByRole('button', { name: 'No problems found' })).toBeVisible();
	await expect(text(admin)).toBeFocused();

	// Two mistakes are found with F8, explained, and fixed.
	const broken = JSON.stringify(workflow(world), null, 2).replace('results.add_hat_step', 'results.add_hat_stp').replace('"summary": "Make', '"summary" "Make');
	await user.press('ControlOrMeta+a', 'Delete');
	await admin.keyboard.insertText(broken);
	await expect(admin.getByRole('button', { name: '1 error' })).toBeVisible();
	await user.press('F8');
	await expect(card).toContainText('a colon is missing behind summary');
	await user.press('ControlOrMeta+.');
	await expect(card).toHaveCount(0);
	await expect(text(admin)).toContainText('"summary": "Make');
	await expect(admin.getByRole('button', { name: '1 error' })).toBeVisible();
	await user.press('F8');
	await expect(card).toContainText('add_hat_stp');
	await user.press('ControlOrMeta+.');
	await expect(admin.getByRole('button', { name: 'No problems found' })).toBeVisible();
	// An Escape closes the card or the search, not what is around it.
	await user.press('ControlOrMeta+f');
	await expect(admin.getByRole('textbox', { name: 'Find' })).toBeFocused();
	await user.press('Escape');
	await expect(text(admin)).toBeFocused();
	await user.press('Tab');
	await expect(text(admin)).not.toBeFocused();
	user.expectNoPointer();
});

import type { Page } from '@playwright/test';
import { expect, openEditor, test, workflow, write } from './fixtures.ts';

const editor = (page: Page) => page.getByRole('textbox', { name: 'workflow JSON' });
const options = (page: Page) => page.locator('.cm-tooltip-autocomplete:not(.cm-tooltip-autocomplete-disabled)').getByRole('option');
const card = (page: Page) => page.locator('.cm-tooltip:not(.cm-tooltip-autocomplete):not(.cm-completionInfo)');

/** Replaces the text, with the cursor at `‸`. */
async function writeAt(page: Page, marked: string): Promise<void> {
	const [before = '', behind = ''] = marked.split('‸');
	await write(page, 'workflow JSON', behind);
	await page.keyboard.press('ControlOrMeta+Home');
	await page.keyboard.insertText(before);
	// The mouse is out of the way, so that it opens no card.
	await page.mouse.move(0, 0);
}

test('keys, steps, node paths and expressions are completed', async ({ admin, rest }) => {
	const world = await rest.world();
	await openEditor(admin, world.workflow);
	await writeAt(admin, '{\n  "name": "Typed",\n  "nodes": {"value": {"modules": [‸]}}\n}');
	await admin.keyboard.press('Control+Space');
	await admin.keyboard.type(world.unique);
	await expect(options(admin)).toHaveText([new RegExp(`Flux ${world.unique}`)]);
	await admin.keyboard.press('Enter');
	await expect(editor(admin)).toContainText(`"path": "node/${world.node}"`);
	await expect(admin.getByRole('region', { name: 'Workflow graph' }).getByText(`Flux ${world.unique}`).first()).toBeVisible();

	await writeAt(admin, `{\n  "name": "Typed",\n  "nodes": {"value": {"modules": [{"id": "a", "value": {"type": "script", "path": "node/‸", "input_transforms": {}}}]}}\n}`);
	await admin.keyboard.type(world.node.slice(0, 4));
	await expect(options(admin).filter({ hasText: `node/${world.node}` })).toBeVisible();
	await admin.keyboard.type(world.node.slice(4));
	await expect(options(admin)).toHaveCount(1);
	await admin.keyboard.press('Enter');
	await expect(editor(admin)).toContainText(`"path": "node/${world.node}"`);

	await writeAt(admin, JSON.stringify(workflow(world), null, 2).replace('results.add_hat_step.output_image', 'results.‸'));
	await admin.keyboard.type('add');
	await expect(options(admin).filter({ hasText: 'add_hat_step' })).toBeVisible();
	await admin.keyboard.press('Enter');
	await admin.keyboard.type('.');
	await expect(options(admin).filter({ hasText: 'output_image' })).toBeVisible();
	await admin.keyboard.press('Enter');
	await expect(editor(admin)).toContainText('results.add_hat_step.output_image');
	await expect(admin.getByRole('button', { name: 'No problems found' })).toBeVisible();
});

test('Enter and Tab accept a completion whose list is still being made, and Enter breaks the line where nothing is left to complete', async ({ admin, rest }) => {
	const world = await rest.world();
	await openEditor(admin, world.workflow);
	const text = JSON.stringify(workflow(world), null, 2);
	const lines = text.split('\n').length;
	const shown = () => editor(admin).evaluate((element) => element.querySelectorAll('.cm-line').length);
	await writeAt(admin, text.replace('results.add_hat_step.output_image', 'results.‸'));
	await admin.keyboard.type('add');
	await admin.keyboard.press('Enter');
	await expect(editor(admin)).toContainText('"results.add_hat_step"');
	await admin.keyboard.type('.out');
	await expect(options(admin)).toHaveText([/^output_image/]);
	await admin.keyboard.type('p');
	await admin.keyboard.press('Tab');
	await expect(editor(admin)).toContainText('"results.add_hat_step.output_image"');
	await expect(editor(admin)).toBeFocused();
	expect(await shown()).toBe(lines);

	await writeAt(admin, '{\n  "name": "Typed",\n  "nodes": {"value": {"modules": [{"id": "a", "continue_on_error": ‸}]}}\n}');
	await admin.keyboard.type('tr');
	await expect(options(admin)).toHaveText([/^true/]);
	await admin.keyboard.type('ue');
	await admin.keyboard.press('Enter');
	await expect.poll(shown).toBe(5);
	await admin.keyboard.type('"summary"');
	await expect(editor(admin)).toContainText('"continue_on_error": true');
	await expect(admin.locator('.cm-line').nth(3)).toContainText('"summary"}');
});

test('a place is explained: a key, a node and a finding with its page', async ({ admin, rest }) => {
	const world = await rest.world();
	await openEditor(admin, world.workflow);
	await admin.locator('.cm-line', { hasText: '"input_transforms"' }).first().getByText('"input_transforms"').hover();
	await expect(card(admin)).toContainText('The inputs of the step by name');
	await admin.locator('.cm-line', { hasText: `node/${world.node}` }).first().getByText(`"node/${world.node}"`).hover();
	await expect(card(admin)).toContainText('output_image: string');

	await writeAt(admin, JSON.stringify(workflow(world), null, 2).replace('results.add_hat_step', 'results.add‸_hat_stp'));
	await admin.keyboard.press('ControlOrMeta+i');
	await expect(card(admin)).toContainText('did you mean');
	await expect(card(admin)).toContainText('How to fix it: Correct the id.');
	await admin.keyboard.press('Escape');
	await expect(card(admin)).toHaveCount(0);
	await admin.keyboard.press('ControlOrMeta+.');
	await expect(editor(admin)).toContainText('results.add_hat_step.output_image');
});

test('faults of the JSON are findings with fixes, and the graph says that it is not current', async ({ admin, rest }) => {
	const world = await rest.world();
	await openEditor(admin, world.workflow);
	const text = JSON.stringify(workflow(world), null, 2);
	await write(admin, 'workflow JSON', text.replace('"description": "Adds', '"name": "Twice",\n  "description": "Adds').replace('"summary": "Add a Hat to person",', "'summary': \"Add a Hat to person\""));
	await expect(admin.getByText('The graph shows its last valid state')).toBeVisible();
	await admin.getByRole('button', { name: '3 errors' }).click();
	const findings = admin.getByRole('region', { name: 'Findings' });
	await expect(findings.getByRole('button', { name: /duplicate key name: the value in line 3 is ignored/ })).toBeVisible();
	await findings.getByRole('button', { name: /strings need double quotes/ }).click();
	await expect(editor(admin)).toBeFocused();
	await findings.getByRole('button', { name: 'Fix all 3' }).click();
	await expect(admin.getByRole('button', { name: 'No problems found' })).toBeVisible();
	await expect(editor(admin)).toContainText('"name": "Twice"');
	await expect(admin.getByText('The graph shows its last valid state')).toHaveCount(0);
});

test('a connector is checked while it is typed, in its form and as JSON, and its secret is completed', async ({ admin, rest }) => {
	const { unique } = await rest.world();
	await admin.goto('/connectors');
	await admin.getByRole('button', { name: 'New connector' }).click();
	const dialog = admin.getByRole('dialog', { name: 'New connector' });
	await dialog.getByLabel('Name', { exact: true }).fill(`Checked ${unique}`);
	await dialog.getByLabel('Base URL').fill('ftp://api.example');
	await expect(dialog.getByLabel('Base URL')).toHaveAttribute('aria-invalid', 'true');
	await expect(dialog.getByRole('region', { name: 'Findings' })).toContainText('/base_url');
	await dialog.getByLabel('Base URL').fill('https://api.example');
	await expect(dialog.getByRole('region', { name: 'Findings' })).toHaveCount(0);

	await dialog.getByRole('tab', { name: 'JSON' }).click();
	await write(admin, 'connector JSON', `,"base_urll": "https://api.example"}`);
	await admin.keyboard.press('ControlOrMeta+Home');
	await admin.keyboard.insertText(`{"name": "Checked ${unique}", "header": {"Authorization": "Bearer "}`);
	await admin.keyboard.press('ArrowLeft');
	await admin.keyboard.press('ArrowLeft');
	await admin.keyboard.type('$E2E_REP');
	await expect(options(admin)).toHaveText([/E2E_REPLICATE_TOKEN/]);
	await admin.keyboard.press('Enter');
	await expect(admin.getByRole('textbox', { name: 'connector JSON' })).toContainText('"Bearer $E2E_REPLICATE_TOKEN"');
	await dialog.getByRole('region', { name: 'Findings' }).getByRole('button', { name: /^rename/ }).click();
	await expect(admin.getByRole('textbox', { name: 'connector JSON' })).toContainText('"base_url": "https://api.example"');
	await expect(admin.getByRole('textbox', { name: 'connector JSON' })).toContainText('"Bearer $E2E_REPLICATE_TOKEN"');
	await dialog.getByRole('button', { name: 'Create' }).click();
	await expect(dialog).toHaveCount(0);
});

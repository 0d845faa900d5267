import type { Page } from '@playwright/test';
import { expect, openEditor, PICTURE, test, workflow, type Rest, type World } from './fixtures.ts';
import type { Job } from './types.ts';

const versions = (page: Page) => page.getByRole('dialog', { name: 'Versions' });
const rows = (page: Page) => versions(page).getByRole('list', { name: 'Versions' }).getByRole('listitem');
const graph = (page: Page) => versions(page).getByRole('region', { name: 'Graph of the differences' });

/** Saves a second version: the hat is a crown, the cartoon is gone, and there is a new step. */
async function saveSecond(rest: Rest, world: World): Promise<void> {
	const second = structuredClone(workflow(world));
	const [hat, cartoon] = second.nodes.value.modules;
	hat!.value.input_transforms.prompt.value = 'Add a crown';
	second.nodes.value.modules = [hat!, { ...structuredClone(cartoon!), id: 'poster_step', summary: 'Make a poster' }];
	await rest.call('PUT', `/workflows/${world.workflow}`, second);
}

test('versions are compared as graph and text, and an old one is restored', async ({ admin, rest }) => {
	const world = await rest.world();
	await saveSecond(rest, world);
	await openEditor(admin, world.workflow);
	await admin.keyboard.press('Control+Shift+h');
	await expect(rows(admin)).toHaveCount(2);
	await expect(rows(admin).first()).toContainText('Version 2current');
	await expect(rows(admin).first()).toContainText('admin');
	await expect(rows(admin).first()).toContainText('1 step added, 1 removed, 1 changed');
	const cards = graph(admin).locator('.svelte-flow__node-card');
	await expect(cards.filter({ hasText: 'Add a Hat to person' })).toContainText('changed');
	await expect(cards.filter({ hasText: 'Make this a 90s cartoon' })).toContainText('removed');
	await expect(cards.filter({ hasText: 'Make a poster' })).toContainText('added');
	await versions(admin).getByRole('tab', { name: 'Text' }).click();
	const text = versions(admin).getByRole('textbox', { name: 'Differences' });
	await expect(text.locator('.cm-changedLine', { hasText: 'Add a crown' })).toBeVisible();
	await expect(text.locator('.cm-deletedChunk', { hasText: 'cartoon_step' })).toBeVisible();

	await rows(admin).nth(1).getByRole('button').click();
	await versions(admin).getByRole('combobox', { name: 'Compare with' }).selectOption('editor');
	await expect(versions(admin).getByText('From what the editor shows: 1 step added, 1 removed, 1 changed')).toBeVisible();
	await versions(admin).getByRole('button', { name: 'Restore' }).click();
	const question = admin.getByRole('alertdialog', { name: 'Restore version 1?' });
	await question.getByRole('button', { name: 'Restore' }).click();
	await expect(versions(admin)).toHaveCount(0);
	await expect(admin.getByRole('region', { name: 'Workflow graph' }).getByText('Make this a 90s cartoon')).toBeVisible();
	await expect(admin.getByText('Saved', { exact: true })).toBeVisible();
	const saved = await rest.call<{ items: { number: number }[] }>('GET', `/workflows/${world.workflow}/versions`);
	expect(saved.items.map(({ number }) => number)).toEqual([3, 2, 1]);
});

test('unsaved changes stand above the versions', async ({ admin, rest }) => {
	const world = await rest.world();
	await openEditor(admin, world.workflow);
	await admin.getByRole('textbox', { name: 'Description' }).fill('Not yet saved');
	await admin.getByRole('button', { name: 'Versions' }).click();
	await expect(rows(admin).first()).toContainText('Unsaved changes');
	await expect(versions(admin).getByRole('region', { name: 'Unsaved changes' })).toContainText('description changed');
	await admin.keyboard.press('Escape');
	await expect(versions(admin)).toHaveCount(0);
	await expect(admin.getByRole('textbox', { name: 'Description' })).toHaveValue('Not yet saved');
});

test('an old version runs, and its job leads back to it', async ({ admin, rest }) => {
	const world = await rest.world();
	await saveSecond(rest, world);
	await openEditor(admin, world.workflow);
	await admin.getByRole('button', { name: 'Versions' }).click();
	await rows(admin).nth(1).getByRole('button').click();
	await versions(admin).getByRole('button', { name: 'Run this version' }).click();
	const dialog = admin.getByRole('dialog', { name: 'Run version 1' });
	await dialog.getByLabel('input_image').fill(PICTURE);
	await dialog.getByRole('button', { name: 'Run', exact: true }).click();
	await expect(admin.getByRole('status').filter({ hasText: 'Last run' })).toContainText('completed');
	expect(await rest.prompts()).toEqual(['Add a Hat to person', 'Make this a 90s cartoon']);
	const jobs = await rest.call<{ items: Job[] }>('GET', `/jobs?workflow_id=${world.workflow}`);
	await admin.goto(`/jobs/${jobs.items[0]!.id}`);
	await admin.getByRole('link', { name: 'version 1' }).click();
	await expect(versions(admin).getByRole('region', { name: 'Version 1' })).toBeVisible();
	await expect(graph(admin).getByText('Make this a 90s cartoon')).toBeVisible();
	await admin.keyboard.press('Escape');
	await expect(admin).toHaveURL(new RegExp(`/workflows/${world.workflow}$`));
});

import { expect, type Page } from '@playwright/test';
import { dialog, visit, type Exhibits, type Scene } from './scene.ts';

/** Opens the editor of the workflow. */
export async function edit(page: Page, { workflow }: Exhibits, view = 'hidden'): Promise<void> {
	await visit(page, `/workflows/${workflow.id}`, workflow.name);
	await expect(page.locator('.svelte-flow__node-card').first()).toBeVisible();
	await page.getByRole('combobox', { name: 'View' }).selectOption(view);
}

/** The panel beside the graph. */
export const details = (page: Page) => page.getByRole('complementary', { name: 'Details' });

async function selectStep(page: Page, exhibits: Exhibits, which: 0 | 1): Promise<void> {
	await edit(page, exhibits);
	await page.getByRole('region', { name: 'Workflow graph' }).getByText(exhibits.workflow.steps[which]).click();
	await expect(details(page).getByLabel('Summary of the step')).toHaveValue(exhibits.workflow.steps[which]);
}

/** The editor of workflows, with its panels. */
export const EDITOR: readonly Scene[] = [
	{ name: 'editor', open: (page, exhibits) => edit(page, exhibits) },
	{ name: 'editor-text', open: (page, exhibits) => edit(page, exhibits, 'beside') },
	{ name: 'editor-text-below', open: (page, exhibits) => edit(page, exhibits, 'below') },
	{ name: 'editor-step', open: (page, exhibits) => selectStep(page, exhibits, 0) },
	{
		name: 'editor-step-settings',
		open: async (page, exhibits) => {
			await selectStep(page, exhibits, 1);
			await details(page).getByRole('tab', { name: 'Settings' }).click();
		}
	},
	{
		name: 'editor-step-output',
		open: async (page, exhibits) => {
			await selectStep(page, exhibits, 1);
			await details(page).getByRole('tab', { name: 'Output' }).click();
		}
	},
	{
		name: 'editor-connect',
		open: async (page, exhibits) => {
			await selectStep(page, exhibits, 1);
			await details(page).getByRole('button', { name: /^Connect .* to a value/ }).last().click();
			await expect(page.getByRole('searchbox', { name: 'Search values' })).toBeVisible();
		}
	},
	{
		name: 'editor-step-picker',
		open: async (page, exhibits) => {
			await edit(page, exhibits);
			await page.locator('body').press('n');
			await expect(page.getByRole('dialog', { name: 'Insert a step' })).toBeVisible();
		}
	},
	{
		name: 'editor-findings',
		open: async (page, exhibits) => {
			await selectStep(page, exhibits, 0);
			await details(page).getByRole('button', { name: 'Delete the step' }).click();
			await page.getByRole('region', { name: 'Findings' }).getByRole('button', { name: /error/ }).click();
		}
	},
	{
		name: 'editor-shortcuts',
		open: async (page, exhibits) => {
			await edit(page, exhibits);
			await page.getByRole('button', { name: 'Keyboard shortcuts' }).click();
			await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
		}
	},
	{
		name: 'editor-run',
		open: async (page, exhibits) => {
			await edit(page, exhibits);
			await page.getByRole('button', { name: 'Run', exact: true }).click();
			await expect(dialog(page)).toBeVisible();
		}
	},
	{
		name: 'editor-dry-run',
		open: async (page, exhibits) => {
			await edit(page, exhibits);
			await page.getByRole('button', { name: 'Run', exact: true }).click();
			await dialog(page).getByRole('button', { name: 'Dry run' }).click();
			await expect(page.getByRole('dialog', { name: /dry run/i })).toBeVisible();
		}
	},
	{
		name: 'editor-merge',
		refusals: [412],
		open: async (page, exhibits) => {
			await edit(page, exhibits);
			await exhibits.changeWorkflow();
			await details(page).getByLabel('Description').first().fill('Changed in this window');
			await page.keyboard.press('ControlOrMeta+s');
			await page.getByRole('button', { name: 'Compare and combine' }).click();
			await expect(dialog(page)).toBeVisible();
		}
	}
];

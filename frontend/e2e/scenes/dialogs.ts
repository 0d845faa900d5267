import { expect } from '@playwright/test';
import { dialog, visit, type Exhibits, type Scene } from './scene.ts';

/** A dialog that a button of a page opens. */
function behind(name: string, path: string, heading: string, button: (exhibits: Exhibits) => string | RegExp, title?: string | RegExp): Scene {
	return {
		name,
		open: async (page, exhibits) => {
			await visit(page, path, heading);
			await page.getByRole('button', { name: button(exhibits) }).first().click();
			await expect(page.getByRole('dialog', { name: title }).or(page.getByRole('alertdialog', { name: title }))).toBeVisible();
		}
	};
}

/** A tab of a dialog that a button of a page opens. */
function tabOf(scene: Scene, name: string, tab: string): Scene {
	return {
		name,
		open: async (page, exhibits) => {
			await scene.open(page, exhibits);
			await dialog(page).getByRole('tab', { name: tab, exact: true }).click();
			await expect(dialog(page).getByRole('tabpanel', { name: tab })).toBeVisible();
		}
	};
}

const editConnector = behind('connector-edit', '/connectors', 'Connectors', ({ connector }) => `Edit ${connector.name}`);
const editNode = behind('node-edit', '/nodes', 'Nodes', ({ node }) => `Edit ${node.name}`);
const newWorkflow = behind('workflow-new', '/workflows', 'Workflows', () => 'New workflow');

/** Dialogs and menus outside of the editor. */
export const DIALOGS: readonly Scene[] = [
	newWorkflow,
	tabOf(newWorkflow, 'workflow-import', 'Import JSON'),
	behind('connector-new', '/connectors', 'Connectors', () => 'New connector'),
	editConnector,
	tabOf(editConnector, 'connector-request', 'Request'),
	tabOf(editConnector, 'connector-limits', 'Limits and price'),
	tabOf(editConnector, 'connector-json', 'JSON'),
	{
		name: 'connector-secret',
		open: async (page) => {
			await visit(page, '/connectors', 'Connectors');
			await page.getByRole('button', { name: 'New connector' }).click();
			await dialog(page).getByLabel('Method of authentication').selectOption('bearer');
			await dialog(page).getByLabel('Secret').selectOption('New secret…');
			await expect(page.getByRole('dialog', { name: 'New secret' })).toBeVisible();
		}
	},
	behind('connector-test', '/connectors', 'Connectors', ({ connector }) => `Test ${connector.name}`),
	behind('node-new', '/nodes', 'Nodes', () => 'New node'),
	...['Inputs', 'Outputs', 'Call', 'Try it', 'JSON'].map((tab) => tabOf(editNode, `node-${tab.toLowerCase().replace(' ', '-')}`, tab)),
	behind('secret-new', '/secrets', 'Secrets', () => 'New secret'),
	behind('user-new', '/user', 'Users', () => 'New user'),
	behind('user-edit', '/user', 'Users', () => /^Edit user/),
	behind('budget', '/usage', 'Usage', () => 'New budget'),
	{
		name: 'delete-several',
		open: async (page) => {
			await visit(page, '/connectors', 'Connectors');
			await page.getByLabel('Select all').check();
			await page.getByRole('button', { name: /^Delete \d/ }).click();
			await expect(dialog(page)).toBeVisible();
		}
	},
	{
		name: 'workflow-rename',
		open: async (page, { workflow }) => {
			await visit(page, '/workflows', 'Workflows');
			await page.getByRole('button', { name: `Actions for ${workflow.name}`, exact: true }).click();
			await page.getByRole('menuitem', { name: 'Rename' }).click();
			await expect(dialog(page)).toBeVisible();
		}
	},
	{
		name: 'token-limits',
		open: async (page) => {
			await visit(page, '/user', 'Users');
			await page.getByLabel('Limit what the token may do').check();
			await page.getByRole('button', { name: 'Add a provider' }).click();
			await expect(page.getByRole('group', { name: 'Provider 1' })).toBeVisible();
		}
	},
	{
		name: 'shortcuts',
		open: async (page) => {
			await visit(page, '/nodes', 'Nodes');
			await page.keyboard.press('?');
			await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
		}
	},
	{
		name: 'use-as-input',
		open: async (page) => {
			await visit(page, '/artifacts', 'Artifacts');
			await page.getByRole('list', { name: 'Artifacts' }).getByRole('button', { name: /^Open/ }).first().click();
			await page.getByRole('button', { name: 'Use as input' }).click();
			await expect(page.getByRole('dialog', { name: 'Use as input' })).toBeVisible();
		}
	},
	{
		name: 'library-details',
		open: async (page) => {
			await visit(page, '/library', 'Library');
			await page.getByRole('list', { name: 'Nodes of the library' }).getByRole('listitem').first().getByRole('button').first().click();
			await expect(dialog(page).getByText('Sample input')).toBeVisible();
		}
	},
	{
		name: 'palette',
		open: async (page) => {
			await visit(page, '/jobs', 'Jobs');
			await page.keyboard.press('ControlOrMeta+k');
			await expect(dialog(page).getByRole('combobox')).toBeVisible();
		}
	},
	{
		name: 'account-menu',
		open: async (page) => {
			await visit(page, '/jobs', 'Jobs');
			await page.getByRole('button', { name: /^Account menu for/ }).click();
			await expect(page.getByRole('menuitem', { name: 'Log out' })).toBeVisible();
		}
	},
	{
		name: 'lightbox',
		open: async (page) => {
			await visit(page, '/artifacts', 'Artifacts');
			await page.getByRole('list', { name: 'Artifacts' }).getByRole('button', { name: /^(?!Select)/ }).filter({ has: page.locator('img') }).first().click();
			await expect(dialog(page).getByRole('img').first()).toBeVisible();
		}
	}
];

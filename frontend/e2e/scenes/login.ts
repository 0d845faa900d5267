import { expect } from '@playwright/test';
import { details, edit } from './editor.ts';
import type { Scene } from './scene.ts';

/** Scenes that end the session of the page. */
export const LOGGED_OUT: readonly Scene[] = [
	{
		name: 'session-ended',
		refusals: [401],
		open: async (page, exhibits) => {
			await edit(page, exhibits);
			await details(page).getByLabel('Description').first().fill('Changed before the session ended');
			await page.context().clearCookies();
			await page.keyboard.press('ControlOrMeta+s');
			await expect(page.getByRole('dialog', { name: 'Your session has ended' })).toBeVisible();
		}
	},
	{
		name: 'login',
		refusals: [401],
		open: async (page) => {
			await page.context().clearCookies();
			await page.goto('/login');
			await expect(page.getByRole('button', { name: 'Log in' })).toBeVisible();
		}
	}
];

import { expect, type Page } from '@playwright/test';
import { visit, type Scene } from './scene.ts';

async function openJob(page: Page, id: string): Promise<void> {
	await visit(page, `/jobs/${id}`, /./);
	await expect(page.getByRole('region', { name: 'Graph of the job' }).locator('.svelte-flow__node-card').first()).toBeVisible();
}

/** Jobs in their states. */
export const JOBS: readonly Scene[] = [
	{ name: 'job', open: (page, { jobs }) => openJob(page, jobs.completed) },
	{ name: 'job-failed', open: (page, { jobs }) => openJob(page, jobs.failed) },
	{
		name: 'job-suspended',
		open: async (page, { jobs }) => {
			await openJob(page, jobs.suspended);
			await expect(page.getByRole('button', { name: /^Approve/ }).first()).toBeVisible();
		}
	},
	{
		name: 'job-running',
		open: async (page, { jobs }) => {
			await openJob(page, await jobs.running());
			await expect(page.getByRole('button', { name: 'Cancel' })).toBeVisible();
		}
	},
	{
		name: 'job-cancel',
		open: async (page, { jobs }) => {
			await openJob(page, await jobs.running());
			await page.getByRole('button', { name: 'Cancel' }).click();
			await expect(page.getByRole('alertdialog')).toBeVisible();
		}
	},
	{
		name: 'job-timeline',
		open: async (page, { jobs }) => {
			await openJob(page, jobs.completed);
			await page.getByRole('tab', { name: 'Timeline' }).click();
			await expect(page.getByRole('list', { name: 'Timeline' })).toBeVisible();
		}
	},
	{
		name: 'job-step-calls',
		open: async (page, { jobs }) => {
			await openJob(page, jobs.completed);
			await page.getByRole('list', { name: 'Steps' }).locator('summary').first().click();
			await page.getByRole('tab', { name: 'Calls' }).first().click();
		}
	},
	{
		name: 'job-delete',
		open: async (page, { jobs }) => {
			await openJob(page, jobs.completed);
			await page.getByRole('button', { name: /^Delete/ }).first().click();
			await expect(page.getByRole('alertdialog')).toBeVisible();
		}
	},
	{ name: 'job-rerun', open: (page, { jobs }) => visit(page, `/jobs/${jobs.completed}/rerun`, /again$/) }
];

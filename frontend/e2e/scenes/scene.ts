import { expect, type Page } from '@playwright/test';

/** Documents and jobs that the scenes show. */
export interface Exhibits {
	connector: { id: string; name: string };
	node: { id: string; name: string };
	/** A workflow whose last run completed; its second step has an input that is connected to the first. */
	workflow: { id: string; name: string; steps: [first: string, second: string] };
	/** Jobs by the states that they are in. */
	jobs: { completed: string; failed: string; suspended: string; running: () => Promise<string> };
	/** Changes the workflow as another user would. */
	changeWorkflow: () => Promise<void>;
}

/** A page or dialog in a state that is worth a look: it is checked for accessibility, and pictures are made of it. */
export interface Scene {
	/** Name of the scene, also of the files of its pictures. */
	name: string;
	/** Opens it. */
	open: (page: Page, exhibits: Exhibits) => Promise<void>;
	/** Statuses of the replies that are refused on the way. */
	refusals?: number[];
}

/** Opens a page and waits for its heading. */
export async function visit(page: Page, path: string, heading: string | RegExp): Promise<void> {
	await page.goto(path);
	await expect(page.getByRole('heading', { level: 1, name: heading })).toBeVisible();
}

/** The open dialog. */
export const dialog = (page: Page) => page.getByRole('dialog');

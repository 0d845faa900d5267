import type { Locator, Page } from '@playwright/test';
import { tellFoundingStory, type Performer } from './founding-story.ts';
import { expect, makePortrait, test } from './fixtures.ts';
import type { Job, User } from './types.ts';

/** Seconds that a person takes: measured means of the keystroke-level model (Card, Moran and Newell, 1980). */
const SECONDS = { point: 1.1, press: 0.2, key: 0.28, decide: 1.35 };

/** Counts what a person does. */
class Stopwatch implements Performer {
	clicks = 0;
	keys = 0;
	decisions = 0;
	readonly page: Page;

	constructor(page: Page) {
		this.page = page;
	}

	click = async (target: Locator) => {
		await target.click();
		this.clicks++;
		this.decisions++;
	};

	type = async (target: Locator, text: string) => {
		await target.click();
		await target.pressSequentially(text);
		this.clicks++;
		this.decisions++;
		this.keys += text.length;
	};

	write = async (text: string) => {
		await this.page.keyboard.type(text);
		this.keys += text.length;
	};

	choose = async (target: Locator, label: string) => {
		await target.selectOption({ label });
		this.clicks += 2;
		this.decisions++;
	};

	give = async (target: Locator, file: { name: string; mimeType: string; buffer: Buffer }) => {
		await target.setInputFiles(file);
		// The button, the file and the button of the system's dialog.
		this.clicks += 3;
		this.decisions++;
	};

	look = () => {
		this.decisions++;
		return Promise.resolve();
	};

	/** Seconds that a person takes for it, besides the time that the page and the provider take. */
	get seconds(): number {
		return this.clicks * (SECONDS.point + SECONDS.press) + this.keys * SECONDS.key + this.decisions * SECONDS.decide;
	}
}

test('the founding workflow, from an account without documents to both pictures', async ({ page, rest }) => {
	const { unique } = await rest.world();
	for (const path of ['/nodes/replicate-flux-kontext-pro', '/connectors/replicate']) await rest.remove(path);
	const user = { username: `founder_${unique}`, password: 'correct horse battery' };
	await rest.call<User>('POST', '/users', user);
	await page.request.post('/api/v1/login', { data: user });
	await rest.standIn({ delivery: 'local', delay_ms: 1000 });

	const stopwatch = new Stopwatch(page);
	const start = Date.now();
	await tellFoundingStory(page, stopwatch, {
		name: `Hat and cartoon ${unique}`,
		key: `r8_${unique}${unique}`,
		picture: await makePortrait(page.request),
		redirect: () => rest.redirectToStandIn('replicate', 'REPLICATE_API_TOKEN', `r8_${unique}`)
	});
	const took = (Date.now() - start) / 1000;

	const { items } = await rest.call<{ items: Job[] }>('GET', '/jobs?limit=1');
	expect(items[0]?.status).toBe('completed');
	const { clicks, keys, seconds } = stopwatch;
	const summary = `${clicks} clicks, ${keys} keys: about ${seconds.toFixed(0)} s for a person, and ${took.toFixed(0)} s for this machine`;
	test.info().annotations.push({ type: 'stopwatch', description: summary });
	process.stdout.write(`founding workflow: ${summary}\n`);
	// Not time but effort: more than this is no longer three minutes for anybody.
	expect(clicks).toBeLessThanOrEqual(45);
});

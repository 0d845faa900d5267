import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import type { Browser, BrowserContext, CDPSession } from '@playwright/test';
import { test, type World } from '../e2e/fixtures.ts';
import { branchedWorkflow, straightWorkflow } from '../e2e/large-workflows.ts';
import { openFloor } from './floor.ts';
import { report } from './report.ts';
import { median } from './statistics.ts';
import { WATCH_DRAWING } from './watchers.ts';

const REPETITIONS = 7;
const CARD = '.svelte-flow__node-card';

/** Opens a browser context with the session of another and an empty cache. */
async function coldContext(browser: Browser, from: BrowserContext, baseURL: string): Promise<BrowserContext> {
	return browser.newContext({ baseURL, storageState: await from.storageState(), viewport: { width: 1600, height: 1000 } });
}

const builders = { 'in sequence': straightWorkflow, 'with loops and branches': branchedWorkflow };

for (const [shape, build] of Object.entries(builders)) {
	test(`first drawing, 200 steps ${shape}`, async ({ admin, browser, rest, baseURL }) => {
		const world = await rest.world();
		const id = `drawing_${world.unique}`;
		await rest.call('POST', '/workflows', build(world, id, 200));
		const [floor, times]: [number[], number[]] = [[], []];
		for (let turn = 0; turn < REPETITIONS; turn++) {
			for (const isFloor of [true, false]) {
				const context = await coldContext(browser, admin.context(), baseURL!);
				const page = await context.newPage();
				if (isFloor) {
					await openFloor(page, id);
				} else {
					await page.addInitScript(WATCH_DRAWING, CARD);
					await page.goto(`/workflows/${id}`, { waitUntil: 'commit' });
				}
				await page.waitForFunction(() => window.measured?.drawnAt !== undefined);
				(isFloor ? floor : times).push(await page.evaluate(() => window.measured.drawnAt!));
				await context.close();
			}
		}
		report({ name: `first drawing, cold, 200 steps ${shape}`, quantity: 'ms, median', value: median(times), floor: median(floor), target: 1000 });
	});
}

/** Bytes that came over the network, by kind. */
interface Weight {
	files: number;
	wasm: number;
	api: number;
}

/** Counts what a page loads, as it is transferred. */
async function weigh(session: CDPSession): Promise<Weight> {
	const weight: Weight = { files: 0, wasm: 0, api: 0 };
	const kinds = new Map<string, keyof Weight>();
	await session.send('Network.enable');
	session.on('Network.requestWillBeSent', ({ requestId, request }) => {
		const { pathname } = new URL(request.url);
		kinds.set(requestId, pathname.startsWith('/api/') ? 'api' : pathname.endsWith('.wasm') ? 'wasm' : 'files');
	});
	session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
		const kind = kinds.get(requestId);
		if (kind) weight[kind] += encodedDataLength;
	});
	return weight;
}

const pages: [name: string, path: (world: World) => string, ready: string, target: number][] = [
	['/connectors', () => '/connectors', 'ul[aria-label="Connectors"] li', 120],
	['editor', ({ workflow }) => `/workflows/${workflow}`, CARD, 400]
];

for (const [name, path, ready, target] of pages) {
	test(`weight of ${name}`, async ({ admin, browser, rest, baseURL }) => {
		const world = await rest.world();
		const context = await coldContext(browser, admin.context(), baseURL!);
		const page = await context.newPage();
		const weight = await weigh(await context.newCDPSession(page));
		await page.goto(path(world));
		await page.waitForSelector(ready);
		await page.waitForLoadState('networkidle');
		await context.close();
		report({ name: `${name} cold, brotli${weight.wasm > 0 ? ', without wasm' : ''}`, quantity: 'KiB', value: weight.files / 1024, target });
		if (weight.wasm > 0) report({ name: '', quantity: 'KiB of wasm', value: weight.wasm / 1024 });
		report({ name: '', quantity: 'KiB of replies of the API', value: weight.api / 1024 });
	});
}

test('weight of wasm', () => {
	const folder = process.env.APIFLOW_WASM_PKG ?? join(import.meta.dirname, '../src/lib/wasm/pkg');
	// The same program as in the check of its size: zlib of Node compresses a little less.
	const size = execFileSync('gzip', ['-9', '-c', join(folder, 'apiflow_wasm_bg.wasm')], { maxBuffer: 16 * 1024 * 1024 }).length;
	report({ name: 'wasm, main module', quantity: 'KiB, gzip', value: size / 1024, target: 350 });
});

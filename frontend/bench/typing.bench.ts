import type { Page } from '@playwright/test';
import { expect, openEditor, test } from '../e2e/fixtures.ts';
import { branchedWorkflow, straightWorkflow } from '../e2e/large-workflows.ts';
import { openFloor, typeInFloor } from './floor.ts';
import { report } from './report.ts';
import { percentile } from './statistics.ts';
import { WATCH_DRAWING, WATCH_TYPING } from './watchers.ts';

const KEY_COUNT = 80;

/** Types characters one by one, each after the graph shows the one before; returns the times. */
async function typeSlowly(page: Page): Promise<number[]> {
	for (let typed = 1; typed <= KEY_COUNT; typed++) {
		await page.keyboard.press(typed % 2 === 0 ? 'a' : 'b');
		await page.waitForFunction((count) => window.measured.typing.length >= count, typed);
	}
	return page.evaluate(() => window.measured.typing);
}

const builders = { 'in sequence': straightWorkflow, 'with loops and branches': branchedWorkflow };

for (const [shape, build] of Object.entries(builders)) {
	test(`typing, 200 steps ${shape}`, async ({ admin, rest }) => {
		const world = await rest.world();
		const id = `typing_${world.unique}`;
		await rest.call('POST', '/workflows', build(world, id, 200));
		await openFloor(admin, id);
		await typeInFloor(admin);
		const floor = await typeSlowly(admin);

		await admin.addInitScript(WATCH_DRAWING, '.svelte-flow__node-card');
		await openEditor(admin, id);
		const line = admin.getByRole('textbox', { name: 'workflow JSON' }).getByText('"Picture 1"').first();
		await line.click();
		await admin.keyboard.press('End');
		await admin.keyboard.press('ArrowLeft');
		await admin.keyboard.press('ArrowLeft');
		await admin.evaluate(WATCH_TYPING, '.svelte-flow__node-card[data-id="step_1"]');
		const times = await typeSlowly(admin);
		expect(times).toHaveLength(KEY_COUNT);
		report({ name: `typing → graph in the DOM, 200 steps ${shape}`, quantity: 'ms, p95', value: percentile(times, 0.95), floor: percentile(floor, 0.95), target: 50 });
		report({ name: '', quantity: 'ms, median', value: percentile(times, 0.5), floor: percentile(floor, 0.5) });
	});
}

import type { Page } from '@playwright/test';
import { WATCH_DRAWING, WATCH_TYPING } from './watchers.ts';

/** Path of the floor: a page without a framework, which the browser gets from the bench instead of the server. */
export const FLOOR_PATH = '/page-bench-floor';

/**
 * The least that an editor does: it fetches the document, draws a bare element per step, and after each key reads the whole text
 * and writes the labels. It checks nothing and lays nothing out.
 */
const FLOOR = `<!doctype html>
<title>Floor</title>
<textarea id="text" aria-label="Text" rows="40" cols="80"></textarea>
<div id="graph"></div>
<script>
const id = new URLSearchParams(location.search).get('workflow');
const cards = new Map();
function draw(modules) {
	for (const module of modules) {
		let card = cards.get(module.id);
		if (!card) {
			card = document.createElement('div');
			card.className = 'card';
			card.dataset.id = module.id;
			cards.set(module.id, card);
			document.getElementById('graph').append(card);
		}
		if (card.textContent !== module.summary) card.textContent = module.summary;
		if (module.value.modules) draw(module.value.modules);
		for (const branch of module.value.branches ?? []) draw(branch.modules);
		if (module.value.default) draw(module.value.default);
	}
}
text.oninput = () => draw(JSON.parse(text.value).nodes.value.modules);
fetch('/api/v1/workflows/' + id).then((reply) => reply.json()).then((workflow) => {
	text.value = JSON.stringify(workflow, null, 2);
	draw(workflow.nodes.value.modules);
});
</script>`;

/** Opens the floor with a workflow. */
export async function openFloor(page: Page, workflow: string): Promise<void> {
	await page.route(`**${FLOOR_PATH}**`, (route) => route.fulfill({ contentType: 'text/html', body: FLOOR }));
	await page.addInitScript(WATCH_DRAWING, '.card');
	await page.goto(`${FLOOR_PATH}?workflow=${workflow}`, { waitUntil: 'commit' });
}

/** Places the cursor at the end of the first step's summary in the floor. */
export async function typeInFloor(page: Page): Promise<void> {
	await page.waitForSelector('.card');
	await page.evaluate(() => {
		const text = document.querySelector<HTMLTextAreaElement>('#text')!;
		const at = /"summary": "Picture 1"/.exec(text.value)!;
		text.focus();
		text.setSelectionRange(at.index + at[0].length - 1, at.index + at[0].length - 1);
	});
	await page.evaluate(WATCH_TYPING, '.card[data-id="step_1"]');
}

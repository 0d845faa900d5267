import { expect, it } from 'vitest';
import { Core } from './core.ts';
import { WorkflowCheck } from './workflow-check.svelte.ts';

const catalog = { connectors: {}, nodes: {}, workflows: {} };
const layout = { direction: 'down', width: 1, height: 1, nodes: [], edges: [] };

/** A core that reports the text as a diagnostic, and has no layout for an empty text. */
function core(load: () => Promise<void> = () => Promise.resolve()) {
	class CatalogHandle {
		check(text: string, pointer: string) {
			const diagnostics = [{ code: 'x', severity: 'error', pointer: '/value', message: text + pointer }];
			return JSON.stringify({ diagnostics, layout: text === '' ? null : layout });
		}
		complete() {
			return '';
		}
		free() {}
	}
	return new Core(async () => {
		await load();
		return { CatalogHandle, layout: () => '', version: () => '1' };
	});
}

it('returns problems at their place in the text', async () => {
	const check = new WorkflowCheck(core(), '/nodes');
	await check.check('text', catalog);
	expect(check.problems).toEqual([{ code: 'x', severity: 'error', pointer: '/nodes/value', message: 'text/nodes', span: undefined }]);
	expect(check.layout).toEqual(layout);
});

it('keeps the last layout while there is no new one', async () => {
	const check = new WorkflowCheck(core(), '');
	await check.check('text', catalog);
	await check.check('', catalog);
	expect(check.layout).toEqual(layout);
});

it('discards the result of an outdated check', async () => {
	let loaded = () => {};
	const check = new WorkflowCheck(core(() => new Promise((resolve) => (loaded = resolve))), '');
	const [older, newer] = [check.check('older', catalog), check.check('newer', catalog)];
	loaded();
	await Promise.all([older, newer]);
	expect(check.problems.map(({ message }) => message)).toEqual(['newer']);
});

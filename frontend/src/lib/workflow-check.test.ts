import { expect, it } from 'vitest';
import { Core } from './core.ts';
import { WorkflowCheck } from './workflow-check.svelte.ts';

const catalog = { connectors: {}, nodes: {}, workflows: {} };
const layout = { direction: 'down', width: 1, height: 1, nodes: [], edges: [] };

/** A core that reports the document's text as a diagnostic at its root, and has no layout for `null`. */
function core(load: () => Promise<void> = () => Promise.resolve()) {
	return new Core(async () => {
		await load();
		return {
			validate: (workflow) => JSON.stringify([{ code: 'x', severity: 'error', pointer: '/value', message: workflow }]),
			layout: (workflow) => {
				if (workflow === 'null') throw new Error('cannot be read');
				return JSON.stringify(layout);
			},
			version: () => '1'
		};
	});
}

it('returns problems at their place in the text', async () => {
	const check = new WorkflowCheck(core(), '/nodes');
	await check.check(1, catalog);
	expect(check.problems).toEqual([{ code: 'x', severity: 'error', pointer: '/nodes/value', message: '1', span: undefined }]);
	expect(check.layout).toEqual(layout);
});

it('keeps the last layout while there is no new one', async () => {
	const check = new WorkflowCheck(core(), '');
	await check.check(1, catalog);
	await check.check(null, catalog);
	expect(check.layout).toEqual(layout);
});

it('discards the result of an outdated check', async () => {
	let loaded = () => {};
	const check = new WorkflowCheck(core(() => new Promise((resolve) => (loaded = resolve))), '');
	const [older, newer] = [check.check('older', catalog), check.check('newer', catalog)];
	loaded();
	await Promise.all([older, newer]);
	expect(check.problems.map(({ message }) => message)).toEqual(['"newer"']);
});

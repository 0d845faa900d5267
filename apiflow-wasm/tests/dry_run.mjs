// Dry runs in the WebAssembly build: OpenFlow's cases with their nodes as functions, and what only a browser meets.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'node:test';

const folder = process.env.APIFLOW_WASM_DRY_RUN_PKG;
assert.ok(folder, 'APIFLOW_WASM_DRY_RUN_PKG names no folder: run `cargo xtask test`');
const binary = readFileSync(join(folder, 'apiflow_wasm_dry_run_bg.wasm'));
const glue = pathToFileURL(join(folder, 'apiflow_wasm_dry_run.js')).href;

/** An instance that shares nothing with the ones before. */
async function load(number) {
	const module = await import(`${glue}?instance=${number}`);
	module.initSync({ module: binary });
	return module;
}

const core = await load(0);

/** The report of a dry run, or its diagnostics. */
function dryRun(flow, { catalog = {}, input = {}, mocks = {}, options = {}, answer, module = core } = {}) {
	const texts = [flow, catalog, input, mocks, options].map((value) => JSON.stringify(value));
	const asked = answer && ((call) => JSON.stringify(answer(JSON.parse(call))));
	return JSON.parse(module.dry_run(...texts, asked));
}

const flow = (...modules) => ({ summary: '', value: { modules } });
const script = (id, path, transforms = {}) => ({ id, value: { type: 'script', path, input_transforms: transforms } });
const expression = (expr) => ({ type: 'javascript', expr });

/** A catalog of nodes of one connector; each is called at its own name. */
function catalogOf(...nodes) {
	const connector = { id: 'c', name: 'C', base_url: 'https://c.test', method: 'POST', header: { Authorization: 'Bearer $KEY' } };
	const named = nodes.map((node) => ({ name: node.id, connector_id: 'c', data: { path: `/${node.id}` }, ...node }));
	return { connectors: { c: connector }, nodes: Object.fromEntries(named.map((node) => [node.id, node])), workflows: {} };
}

const data = join(import.meta.dirname, '../../apiflow-core/tests/conformance');
const cases = JSON.parse(readFileSync(join(data, 'openflow_cases.json'), 'utf8'));

/** The three nodes that the cases name, as functions. */
function nodes(runs) {
	return ({ step_id: step, node, input }) => {
		runs[step] = (runs[step] ?? 0) + 1;
		if (node === 'node/fail') throw new Error(input.message);
		if (node === 'node/flaky' && runs[step] <= input.fail_times) throw new Error(input.message ?? 'flaky');
		return input;
	};
}

const contains = (value, wanted) => {
	if (wanted === null || typeof wanted !== 'object') return value === wanted;
	if (Array.isArray(wanted) && value?.length !== wanted.length) return false;
	return Object.entries(wanted).every(([key, item]) => contains(value?.[key], item));
};

/** The approvals that a case gives; nobody else answers. */
function approvals({ flow, events = [] }) {
	const gates = flow.value.modules.filter((module) => module.suspend);
	const given = (id) => events.filter(({ step }) => step === id).map(({ type, payload, approver }) => ({ action: type, payload, approver }));
	return Object.fromEntries(gates.map(({ id }) => [id, given(id)]));
}

for (const entry of cases) {
	test(entry.name, () => {
		const runs = {};
		const catalog = catalogOf({ id: 'echo' }, { id: 'fail' }, { id: 'flaky' });
		const options = { approvals: approvals(entry) };
		const { report } = dryRun(entry.flow, { catalog, input: entry.input, options, answer: nodes(runs) });
		const { expect } = entry;
		assert.equal(report.status, expect.status, JSON.stringify(report.output));
		if ('result' in expect) assert.deepEqual(report.output, expect.result);
		if ('result_subset' in expect) assert.ok(contains(report.output, expect.result_subset), JSON.stringify(report.output));
		for (const [step, times] of Object.entries(expect.runs ?? {})) assert.equal(runs[step] ?? 0, times, step);
		if ('skipped' in expect) assert.equal(report.skipped, expect.skipped);
		if (expect.message_contains) assert.ok(JSON.stringify(report.output).includes(expect.message_contains));
		if ('wait_response' in expect) assert.deepEqual(report.early_return, expect.wait_response);
		assert.ok(report.duration_ms >= (expect.min_duration_ms ?? 0));
	});
}

test('what would be sent is shown with its secrets as names', () => {
	const catalog = catalogOf({ id: 'draw', output: [{ name: 'image', type: 'image' }] });
	const { report } = dryRun(flow(script('a', 'node/draw', { prompt: expression('flow_input.prompt.toUpperCase()') })), {
		catalog,
		input: { prompt: 'a cat' }
	});
	assert.deepEqual(report.steps[0].requests, [
		{
			attempt: 1,
			at_ms: 0,
			request: {
				method: 'POST',
				url: 'https://c.test/draw',
				headers: { Authorization: 'Bearer $KEY', 'Content-Type': 'application/json' },
				body: { prompt: 'A CAT' }
			},
			answered_by: 'sample'
		}
	]);
	assert.equal(report.output.image.url, 'https://example.com/draw/image.png');
	assert.match(report.output.image.artifact, /^sample-/);
});

test('a function may leave a call to the mocks, answer as they do, or throw', () => {
	const answers = { a: undefined, b: { error: { name: 'payment', message: 'no money' } } };
	const catalog = catalogOf({ id: 'n' });
	const run = (id, answer) => dryRun(flow(script(id, 'node/n')), { catalog, mocks: { [id]: 'mocked' }, answer }).report;
	const answer = ({ step_id: id }) => answers[id];
	assert.equal(run('a', answer).output, 'mocked');
	assert.deepEqual(run('b', answer).error, { name: 'payment', message: 'no money', step_id: 'b' });
	const thrown = (value) => run('c', () => { throw value; }).error;
	assert.deepEqual(thrown(new TypeError('odd')), { name: 'TypeError', message: 'odd', step_id: 'c' });
	assert.deepEqual(thrown('a text'), { name: 'provider_failed', message: 'a text', step_id: 'c' });
	assert.match(thrown(undefined).message, /threw a value without a message/);
});

test('texts that cannot be read are findings', () => {
	const found = (...texts) => JSON.parse(core.dry_run(...texts)).diagnostics.map(({ code, message }) => `${code}: ${message}`);
	const fine = JSON.stringify(flow());
	assert.match(found('{', '{}', '{}', '{}', '{}')[0], /^malformed-json: the workflow cannot be read/);
	assert.match(found(fine, '[', '{}', '{}', '{}')[0], /the catalog cannot be read/);
	assert.match(found(fine, '{}', '', '{}', '{}')[0], /the input cannot be read/);
	assert.match(found(fine, '{}', '{}', '{}', '{"unlit": 1}')[0], /the options cannot be read: unknown field/);
	assert.deepEqual(found(fine, '{}', '{}', '{"a": 1}', '{}'), ['unknown-step: there is no step `a`']);
});

test('expressions know the time and chance, and the same day everywhere', () => {
	const transforms = { now: expression('Date.now()'), chance: expression('Math.random()'), zone: expression('new Date(0).getHours()') };
	const { report } = dryRun(flow(script('a', 'node/n', transforms)), { catalog: catalogOf({ id: 'n' }) });
	assert.ok(Math.abs(report.output.now - Date.now()) < 86_400_000);
	assert.ok(report.output.chance >= 0 && report.output.chance < 1);
	assert.equal(report.output.zone, 0);
});

/** A document of one step with one expression. */
const evaluated = (expr) => flow(script('a', 'node/n', { x: expression(expr) }));

/** What a page does: an instance that trapped is given up, and the next call gets a new one. Says whether it trapped. */
async function survives(number, document) {
	const module = await load(number);
	const options = { catalog: catalogOf({ id: 'n' }), input: { x: 1 }, module };
	try {
		const { report } = dryRun(document, options);
		assert.ok(['completed', 'failed'].includes(report.status));
		assert.equal(dryRun(flow(), { module }).report.status, 'completed');
		return false;
	} catch (error) {
		assert.ok(error instanceof WebAssembly.RuntimeError || error instanceof RangeError, String(error));
		assert.equal(dryRun(flow(), { module: await load(`after-${number}`) }).report.status, 'completed');
		return true;
	}
}

for (const [before, middle, after] of [
	['(', 'flow_input.x', ')'],
	['[', '1', ']'],
	['{a: ', '1', '}'],
	['- ', '1', ''],
	['(() => ', '1', ')()'],
	['true ? ', '1', ' : 0'],
	['`${', '1', '}`']
]) {
	test(`nesting of \`${before}\` as deep as people write it is answered, and deeper one does no harm`, async () => {
		const nested = (depth) => evaluated(before.repeat(depth) + middle + after.repeat(depth));
		assert.equal(await survives(`${before}-8`, nested(8)), false);
		// The stack of a page is smaller than a server's, and how much of it is left is the page's affair.
		for (const depth of [32, 48, 200]) await survives(`${before}-${depth}`, nested(depth));
	});
}

test('a trap stays in its instance', async () => {
	assert.equal(await survives('memory', evaluated("'x'.repeat(1e9)")), true);
});

test('a loop without end is ended', () => {
	const { report } = dryRun(evaluated('let n = 0; while (true) n++; n'), { catalog: catalogOf({ id: 'n' }) });
	assert.match(report.error.message, /maximum number of iteration/);
	const endless = { id: 'loop', stop_after_if: { expr: 'false' }, value: { type: 'whileloopflow', modules: [script('a', 'node/n')] } };
	const calls = dryRun(flow(endless), { catalog: catalogOf({ id: 'n' }) }).report;
	assert.equal(calls.error.name, 'dry_run_limit');
	assert.equal(calls.steps.flatMap((step) => step.requests).length, 2000);
});

// The cases that the native validator passes, on the WebAssembly build: the same findings everywhere.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'node:test';

const folder = process.env.APIFLOW_WASM_PKG;
assert.ok(folder, 'APIFLOW_WASM_PKG names no folder: run `cargo xtask test`');
const core = await import(pathToFileURL(join(folder, 'apiflow_wasm.js')).href);
core.initSync({ module: readFileSync(join(folder, 'apiflow_wasm_bg.wasm')) });

const data = join(import.meta.dirname, '../../apiflow-core/tests/conformance');
const cases = JSON.parse(readFileSync(join(data, 'validate_cases.json'), 'utf8'));

const short = ({ code, pointer, severity }) => `${severity} ${code} ${pointer}`;

for (const { name, document, catalog, expect } of cases) {
	test(name, () => {
		const found = JSON.parse(core.validate(JSON.stringify(document), JSON.stringify(catalog)));
		assert.deepEqual(found.map(short).sort(), expect.map(short).sort());
	});
}

test('each finding says the same as in the native build', () => {
	const snapshot = readFileSync(join(data, '../snapshots/openflow_validate__findings.snap'), 'utf8');
	const native = JSON.parse(snapshot.split(/^---$/m).at(-1));
	assert.equal(native.length, cases.length);
	for (const [at, { name, document, catalog }] of cases.entries()) {
		assert.equal(native[at].name, name);
		const found = JSON.parse(core.validate(JSON.stringify(document), JSON.stringify(catalog)));
		assert.deepEqual(found, native[at].found, name);
	}
});

test('a text that is not JSON is a finding', () => {
	const [found] = JSON.parse(core.validate('{', '{}'));
	assert.equal(found.code, 'malformed-json');
	assert.match(found.message, /^the workflow cannot be read/);
	const [wrong] = JSON.parse(core.validate('{"value": {"modules": []}}', '{"nodes": {"n": {"id": 1}}}'));
	assert.match(wrong.message, /^the catalog cannot be read: \/nodes\/n\/id: `id` must be a string/);
});

test('every step of the founding workflow has a card, every edge its ends', () => {
	const { nodes: document } = JSON.parse(readFileSync(join(data, 'founding/workflow_parallel.json'), 'utf8'));
	const { nodes, edges } = JSON.parse(core.layout(JSON.stringify(document), '{}'));
	const ids = new Set(nodes.map((node) => node.id));
	for (const pointer of ['/value/modules/0', '/value/modules/0/value/branches/1/modules/0']) {
		assert.ok(nodes.some((node) => node.pointer === pointer), `${pointer} has no card`);
	}
	assert.ok(edges.length > 0);
	for (const edge of edges) assert.ok(ids.has(edge.source) && ids.has(edge.target), edge.id);
	assert.equal(core.layout('{', '{}'), 'null');
});

test('200 steps are checked and drawn', () => {
	const module = (index) => ({ id: `s${index}`, value: { type: 'identity' } });
	const flow = JSON.stringify({ summary: '', value: { modules: Array.from({ length: 200 }, (_, i) => module(i)) } });
	const { nodes } = JSON.parse(core.layout(flow, '{}'));
	assert.ok(nodes.length >= 200);
	assert.deepEqual(JSON.parse(core.validate(flow, '{}')), []);
});

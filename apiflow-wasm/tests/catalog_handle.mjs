// A catalog that stays in the module: the same findings as with a catalog that is passed each time, and completions.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'node:test';

const load = async (folder, name) => {
	assert.ok(folder, `the folder of ${name} is not named: run \`cargo xtask test\``);
	const module = await import(pathToFileURL(join(folder, `${name}.js`)).href);
	module.initSync({ module: readFileSync(join(folder, `${name}_bg.wasm`)) });
	return module;
};
const core = await load(process.env.APIFLOW_WASM_PKG, 'apiflow_wasm');
const declarations = await load(process.env.APIFLOW_WASM_DECLARATIONS_PKG, 'apiflow_wasm_declarations');

const data = join(import.meta.dirname, '../../apiflow-core/tests/conformance');
const cases = JSON.parse(readFileSync(join(data, 'validate_cases.json'), 'utf8'));

test('a handle finds what a check with the same catalog finds, and the layout', () => {
	for (const { name, document, catalog } of cases) {
		const handle = new core.CatalogHandle(JSON.stringify(catalog));
		const text = JSON.stringify({ name: 'in a document', nodes: document });
		const { diagnostics, layout } = JSON.parse(handle.check(text, '/nodes'));
		assert.deepEqual(diagnostics, JSON.parse(core.validate(JSON.stringify(document), JSON.stringify(catalog))), name);
		assert.deepEqual(diagnostics, JSON.parse(handle.validate(text, '/nodes')), name);
		assert.deepEqual(layout, JSON.parse(core.layout(JSON.stringify(document), '{}')), name);
		handle.free();
	}
});

const connector = { id: 'c', name: 'C', base_url: 'https://a.example', method: 'POST' };
const node = { id: 'hat', name: 'Hat', connector_id: 'c', input: [], output: [{ name: 'image', type: 'image', description: 'The picture' }] };
const flow = {
	schema: { type: 'object', properties: { photo: { type: 'string', description: 'A photo' } } },
	value: {
		modules: [
			{ id: 'add', summary: 'Add a hat', value: { type: 'script', path: 'node/hat', input_transforms: {} } },
			{ id: 'use', value: { type: 'identity' }, skip_if: { expr: 'results.' } }
		]
	}
};

test('documents are added, replaced and removed; a wrong one changes nothing', () => {
	const handle = new core.CatalogHandle('{}');
	const codes = () => JSON.parse(handle.validate(JSON.stringify(flow), '')).map(({ code }) => code);
	assert.ok(codes().includes('unknown-node'));
	handle.set_document('connectors', 'c', JSON.stringify(connector));
	handle.set_document('nodes', 'hat', JSON.stringify(node));
	assert.ok(!codes().includes('unknown-node'));
	assert.throws(() => handle.set_document('nodes', 'hat', '{"id": 1}'), /the catalog cannot be read: \/nodes\/hat\/id/);
	assert.ok(!codes().includes('unknown-node'));
	handle.remove_document('nodes', 'hat');
	assert.ok(codes().includes('unknown-node'));
	assert.throws(() => new core.CatalogHandle('{'), /^the catalog cannot be read/);
});

test('an expression is completed with what is in scope', () => {
	const handle = new core.CatalogHandle(JSON.stringify({ connectors: { c: connector }, nodes: { hat: node } }));
	const complete = (before) => JSON.parse(handle.complete(JSON.stringify({ nodes: flow }), '/nodes', '/value/modules/1/skip_if/expr', before));
	assert.deepEqual(complete('x + results.a'), {
		replaced: 2,
		options: [{ label: 'add', insert: '.add', kind: 'step', type: 'object', description: 'Add a hat' }]
	});
	assert.deepEqual(complete('results.add.').options, [
		{ label: 'image', insert: '.image', kind: 'member', type: 'image', description: 'The picture' }
	]);
});

test('connectors and nodes are checked as on a save', () => {
	const codes = (found) => JSON.parse(found).map(({ code, pointer }) => `${code} ${pointer}`);
	assert.deepEqual(codes(declarations.validate_connector(JSON.stringify(connector))), []);
	assert.deepEqual(codes(declarations.validate_connector(JSON.stringify({ ...connector, base_url: 'a' }))), ['bad-url /base_url']);
	assert.deepEqual(codes(declarations.validate_connector('{')), ['malformed-json ']);
	const catalog = JSON.stringify({ connectors: { c: connector } });
	assert.deepEqual(codes(declarations.validate_node(JSON.stringify(node), catalog)), []);
	assert.deepEqual(codes(declarations.validate_node(JSON.stringify({ ...node, connector_id: 'd' }), catalog)), ['unknown-connector /connector_id']);
	assert.deepEqual(codes(declarations.validate_node(JSON.stringify({ ...node, data: { body: '{{ nothing }}' } }), catalog)).length, 1);
});

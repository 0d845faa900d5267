import { expect, it } from 'vitest';
import type { Catalog } from '#lib/core.ts';
import type { ScopeEntry } from './scope.ts';
import { connectInputs, CONTROL_STEPS, listTemplates } from './step-templates.ts';

const node = (id: string, connector_id: string) => ({ id, name: id, description: '', connector_id, input: [], output: [] });
const catalog = {
	connectors: { z: { name: 'Alpha' }, y: { name: 'Beta' } },
	nodes: { b: node('b', 'y'), a: node('a', 'y'), c: node('c', 'z') },
	workflows: { self: {}, other: {} }
} as unknown as Catalog;

it('listTemplates sorts nodes by connector and leaves the workflow itself out', () => {
	const keys = listTemplates(catalog, { other: 'Other' }, 'self').map(({ key }) => key);
	expect(keys).toEqual(['node/c', 'node/a', 'node/b', ...CONTROL_STEPS.map(({ key }) => key), 'workflow/other']);
});

it('templates create a module each time anew', () => {
	for (const template of listTemplates(catalog, {}, null)) {
		const module = template.create();
		expect([typeof module.id, typeof module.value?.type]).toEqual(['string', 'string']);
	}
});

const found = (expression: string, label: string, type: string, children: ScopeEntry[] = []): ScopeEntry => ({ label, expression, type, description: '', sample: undefined, children });
const scope = [
	found('results.near', 'near', 'object', [found('results.near.clip', 'clip', 'video'), found('results.near.picture', 'picture', 'image')]),
	found('results.far', 'far', 'object', [found('results.far.picture', 'picture', 'image')]),
	found('flow_input', 'Workflow inputs', 'object', [found('flow_input.prompt', 'prompt', 'string')])
];

it('connectInputs takes the nearest output of the type, and inputs of the same name', () => {
	const module = { value: { type: 'script', input_transforms: {} } };
	const inputs = [
		{ name: 'start', type: 'image', required: false },
		{ name: 'voice', type: 'audio', required: true },
		{ name: 'prompt', type: 'string', required: true },
		{ name: 'style', type: 'string', required: false }
	];
	expect(connectInputs(module, inputs, scope).value?.input_transforms).toEqual({
		start: { type: 'javascript', expr: 'results.near.picture' },
		prompt: { type: 'javascript', expr: 'flow_input.prompt' }
	});
});

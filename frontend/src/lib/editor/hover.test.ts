import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { CatalogNode } from '#lib/api/types.ts';
import { workflowKnowledge } from '#lib/workflow/workflow-knowledge.ts';
import { explainJson } from './hover.ts';
import type { Schema } from './schema.ts';

const schema = JSON.parse(readFileSync(new URL('../workflow/workflow-schema.json', import.meta.url), 'utf8')) as Schema;
const node = { id: 'draw', name: 'Draw', description: 'Draws', connector_id: 'c', input: [{ name: 'prompt', type: 'string', required: true }], output: [{ name: 'image', type: 'image' }], price: { currency: 'USD', per_call: 1 } } as unknown as CatalogNode;
const knowledge = workflowKnowledge(schema, () => ({
	catalog: { connectors: {}, nodes: { draw: node }, workflows: {} },
	workflowNames: { other: 'The other' },
	lastRun: { input: {}, results: new Map([['first', { image: 'https://x' }]]) },
	self: null,
	core: { complete: () => Promise.resolve(null) }
}));
const text = `{"nodes": {"value": {"modules": [
	{"id": "first", "cache_ttl": 1, "value": {"type": "script", "path": "node/draw", "input_transforms": {}}},
	{"id": "second", "unknown": 1, "value": {"type": "flow", "path": "workflow/other", "input_transforms": {"a": {"type": "javascript", "expr": "1 + results.first.image"}}}}
]}}}`;

describe('explainJson', () => {
	it.each([
		['"cache_ttl"', '**cache_ttl**\n\nSeconds for which the result is reused for the same inputs.\n\nType: integer, at least 0'],
		['"id"', '**id** (required)'],
		['"script"', 'Calls a node.'],
		['"node/draw"', '**Draw**\n\nDraws\n\nInputs:\n\n- `prompt`: string, required\n\nOutputs:\n\n- `image`: image\n\nPrice: 1 USD per call'],
		['"workflow/other"', '**The other**'],
		['first.image"', '`results.first`: object'],
		['image"}}', '`results.first.image`: image\n\nValue in the last run:\n\n```json\n"https://x"\n```']
	])('explains %s', (needle, expected) => expect(explainJson(text, text.indexOf(needle) + 1, knowledge)?.text).toContain(expected));

	it('knows nothing about undeclared keys and space', () => {
		expect(explainJson(text, text.indexOf('"unknown"') + 1, knowledge)).toBeNull();
		expect(explainJson(text, text.indexOf('\n') + 1, knowledge)).toBeNull();
	});

	it('names the range of the token', () => {
		const at = text.indexOf('"cache_ttl"');
		expect(explainJson(text, at + 3, knowledge)?.range).toEqual({ from: at, to: at + '"cache_ttl"'.length });
		expect(explainJson(text, at, knowledge)?.range).toEqual({ from: at, to: at + '"cache_ttl"'.length });
	});
});

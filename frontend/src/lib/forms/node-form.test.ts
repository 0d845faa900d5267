import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { describeBodyFault } from './connector-form.ts';
import { emptyInput, formatMapping, fromFieldText, readNode, toFieldText, writeNode } from './node-form.ts';

const folder = new URL('../../../../library/', import.meta.url);
const nodes = readdirSync(folder, { recursive: true, encoding: 'utf8' })
	.filter((name) => name.endsWith('.json') && !name.endsWith('provider.json'))
	.map((name) => (JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as { node: Record<string, unknown> }).node);

/** Removes differences that mean nothing: `required: false`, and amounts as numbers or text. */
function normalize(value: unknown): unknown {
	if (Array.isArray(value)) return value.map(normalize);
	if (typeof value !== 'object' || value === null) return value;
	const entries = Object.entries(value).filter(([key, inner]) => !(key === 'required' && inner === false));
	return Object.fromEntries(entries.map(([key, inner]) => [key, key.startsWith('per_') ? String(inner) : normalize(inner)]));
}

describe('the form of a node', () => {
	it.each(nodes.map((node) => [String(node.id), node] as const))('writes what it has read: %s', (_, node) => {
		expect(normalize(writeNode(node, readNode(node)))).toEqual(normalize({ description: '', ...node }));
	});
	it('writes a new node without empty rows', () => {
		const form = { ...readNode({}), name: 'N', connectorId: 'c', path: '/x', inputs: [{ ...emptyInput(), name: 'size', type: 'integer', fallback: '4', options: '4\n8' }, emptyInput()] };
		expect(writeNode({}, form)).toEqual({
			name: 'N',
			description: '',
			connector_id: 'c',
			input: [{ name: 'size', type: 'integer', default: 4, enum: [4, 8] }],
			output: [],
			data: { path: '/x' }
		});
	});
	it('finds a fault in the body', () => {
		expect([describeBodyFault({ ...readNode({}), body: '{' }), describeBodyFault({ ...readNode({}), body: ' ' })]).toEqual([expect.stringMatching(/^invalid JSON/), '']);
	});
});

it.each([
	['auto', 'string', 'auto'],
	['5', 'string', '"5"'],
	[5, 'integer', '5'],
	[true, 'boolean', 'true'],
	[[1], 'array', '[1]']
])('%j as %s is written as %s', (value, type, shown) => {
	expect(toFieldText(value)).toBe(shown);
	expect(fromFieldText(shown, type)).toEqual(value);
});

it.each([
	[['data', 0, 'url'], 'data[0].url'],
	[['b64-json'], 'b64-json'],
	[['a b', 'c'], '$["a b"].c'],
	[[0, 'x'], '[0].x']
])('formatMapping(%j)', (path, mapping) => expect(formatMapping(path)).toBe(mapping));

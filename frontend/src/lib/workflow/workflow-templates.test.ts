import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Node } from '#lib/api/types.ts';
import { valueAt } from '#lib/pointer.ts';
import { allModules, isObject, nodeIdOf } from './modules.ts';
import { findReferences } from './references.ts';
import { inputsOfSchema } from './step-inputs.ts';
import { WORKFLOW_TEMPLATES } from './workflow-templates.ts';

const folder = new URL('../../../../library/', import.meta.url);
const library = new Map(
	readdirSync(folder, { recursive: true, encoding: 'utf8' })
		.filter((name) => name.endsWith('.json') && !name.endsWith('provider.json'))
		.map((name) => (JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as { node: Node }).node)
		.map((node) => [node.id, node])
);

describe.each(WORKFLOW_TEMPLATES)('$name', ({ document, nodes }) => {
	const modules = allModules(document);
	const calls = modules.flatMap(({ module }) => {
		const value = module.value ?? {};
		const fallbacks = Array.isArray(value.fallback) ? value.fallback.filter(isObject) : [];
		return nodeIdOf(module) === null ? [] : [value, ...fallbacks];
	});

	it('names nodes of the library with inputs that they have', () => {
		for (const { path, input_transforms } of calls) {
			const node = library.get(String(path).replace('node/', ''));
			expect(node, String(path)).toBeDefined();
			const given = Object.keys(isObject(input_transforms) ? input_transforms : {});
			expect(node!.input.map(({ name }) => name)).toEqual(expect.arrayContaining(given));
			const required = node!.input.filter((input) => input.required && input.default === undefined).map(({ name }) => name);
			expect(given).toEqual(expect.arrayContaining(required));
			expect(nodes).toContain(node!.id);
		}
	});

	it('refers to its own steps, outputs and inputs only', () => {
		const outputs = new Map(modules.map(({ module }) => [module.id, library.get(nodeIdOf(module) ?? '')?.output.map(({ name }) => name)]));
		const inputs = inputsOfSchema(valueAt(document, '/schema')).map(({ name }) => name);
		for (const text of JSON.stringify(document).matchAll(/"expr":"((?:[^"\\]|\\.)*)"/g)) {
			const expression = JSON.parse(`"${text[1]}"`) as string;
			for (const { step, to } of findReferences(expression)) {
				expect([...outputs.keys()]).toContain(step);
				const output = /^\.(\w+)/.exec(expression.slice(to))?.[1];
				if (output) expect(outputs.get(step)).toContain(output);
			}
			for (const { step } of findReferences(expression, 'flow_input')) expect([...inputs, 'iter']).toContain(step);
		}
	});
});

it('there are at least eight, with ids of their own', () => {
	expect(new Set(WORKFLOW_TEMPLATES.map(({ id }) => id)).size).toBe(WORKFLOW_TEMPLATES.length);
	expect(WORKFLOW_TEMPLATES.length).toBeGreaterThanOrEqual(8);
});

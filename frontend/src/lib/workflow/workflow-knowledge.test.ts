import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Node } from '#lib/api/types.ts';
import { completeJson, moveEnd } from '#lib/editor/completion.ts';
import { applyTextChanges } from '#lib/editor/json-edit.ts';
import { schemasAt, type Path, type Schema } from '#lib/editor/schema.ts';
import { workflowKnowledge, type WorkflowFacts } from './workflow-knowledge.ts';
import { WORKFLOW_TEMPLATES } from './workflow-templates.ts';

const schema = JSON.parse(readFileSync(new URL('./workflow-schema.json', import.meta.url), 'utf8')) as Schema;
const node = {
	id: 'draw',
	name: 'Draw',
	description: 'Draws a picture',
	connector_id: 'pictures',
	input: [
		{ name: 'prompt', type: 'string', required: true },
		{ name: 'style', type: 'string', enum: ['cartoon', 'vintage'] }
	],
	output: [{ name: 'image', type: 'image' }],
	price: { currency: 'USD', per_call: '0.04' }
} as unknown as Node;
const facts: WorkflowFacts = {
	catalog: { connectors: {}, nodes: { draw: node }, workflows: { other: {}, me: {} } },
	workflowNames: { other: 'The other', me: 'This one' },
	lastRun: { input: { photo: 'x' }, results: new Map<string, unknown>([['first', { image: { url: 'u' } }]]) },
	self: 'me',
	core: { complete: (_text, _catalog, _pointer, before) => Promise.resolve({ replaced: /[\w$]*$/.exec(before)![0].length + (/\.[\w$]*$/.test(before) ? 1 : 0), options: [] }) }
};
const knowledge = workflowKnowledge(schema, () => facts);

const complete = (marked: string) => completeJson(marked.replace('‸', ''), marked.indexOf('‸'), knowledge);

/** Labels of the completions at `‸`. */
async function labels(marked: string): Promise<string[]> {
	return ((await complete(marked))?.options ?? []).map(({ label }) => label);
}

/** The text after a completion, with the selection in `‹›`, or `‸` if it is empty. */
async function accept(marked: string, label: string): Promise<string | undefined> {
	const chosen = (await complete(marked))?.options.find((option) => option.label === label);
	if (!chosen) return undefined;
	const text = applyTextChanges(marked.replace('‸', ''), chosen.changes);
	const { from, to } = chosen.selection;
	return from === to ? `${text.slice(0, from)}‸${text.slice(from)}` : `${text.slice(0, from)}‹${text.slice(from, to)}›${text.slice(to)}`;
}

const flow = (modules: string) => `{"name": "N", "nodes": {"schema": {"type": "object", "properties": {"photo": {"type": "string"}}}, "value": {"modules": [${modules}]}}}`;
const first = '{"id": "first", "value": {"type": "script", "path": "node/draw", "input_transforms": {}}}';
const step = (value: string) => flow(`${first}, {"id": "second", "value": ${value}}`);

describe('completion of keys', () => {
	it.each([
		['{‸}', ['name', 'nodes', 'description']],
		['{"na‸"}', ['name']],
		['{"name": "x", ‸}', ['nodes', 'retention']],
		[flow('{‸}'), ['id', 'value', 'retry', 'suspend']],
		[step('{"type": "forloopflow", ‸}'), ['iterator', 'modules', 'parallel']],
		[step('{"type": "script", "path": "node/draw", "input_transforms": {‸}}'), ['prompt', 'style']],
		[step('{"type": "flow", ‸}'), ['path', 'input_transforms']]
	])('%s', async (marked, expected) => expect(await labels(marked)).toEqual(expect.arrayContaining(expected)));

	it('leaves out keys that are there, and those of other types', async () => {
		const found = await labels(step('{"type": "script", "path": "node/draw", ‸}'));
		expect(found).toEqual(['input_transforms', 'fallback']);
	});

	it.each([
		['{‸}', 'name', '{"name": "‸"}'],
		['{"na‸"}', 'name', '{"name": "‸"}'],
		['{"‸": 1}', 'name', '{"name"‸: 1}'],
		['{\n  "name": "x"‸\n}', 'description', '{\n  "name": "x", "description": "‸"\n}'],
		['{\n  "name": "x"\n  ‸\n}', 'description', '{\n  "name": "x",\n  "description": "‸"\n}'],
		['{‸ "name": "x"}', 'description', '{"description": "‸", "name": "x"}'],
		[flow('{‸}'), 'continue_on_error', flow('{"continue_on_error": ‹true›}')],
		[flow('{‸}'), 'cache_ttl', flow('{"cache_ttl": ‹3600›}')],
		[flow('{\n  ‸\n}'), 'skip_if', flow('{\n  "skip_if": {\n    "expr": "‸"\n  }\n}')],
		[flow('{\n  ‸\n}'), 'value', flow('{\n  "value": {\n    "type": "‸"\n  }\n}')],
		[step('{"type": "forloopflow", ‸}'), 'modules', step('{"type": "forloopflow", "modules": [‸]}')],
		[step('{"type": "script", "path": "node/draw", "input_transforms": {\n  ‸\n}}'), 'prompt', step('{"type": "script", "path": "node/draw", "input_transforms": {\n  "prompt": {\n    "type": "static",\n    "value": "‸"\n  }\n}}')]
	])('%s, %s', async (marked, label, expected) => expect(await accept(marked, label)).toBe(expected));
});

describe('completion of values', () => {
	it.each([
		[step('{"type": "‸"}'), ['script', 'flow', 'forloopflow', 'branchone', 'identity']],
		[step('{"type": ‸}'), ['script', 'flow']],
		[step('{"type": "script", "path": "‸"}'), ['node/draw']],
		[step('{"type": "flow", "path": "‸"}'), ['workflow/other']],
		[step('{"type": "rawscript", "language": "‸"}'), ['javascript', 'bun']],
		[flow('{"continue_on_error": ‸}'), ['true', 'false']],
		[step('{"type": "script", "path": "node/draw", "input_transforms": {"style": {"type": "static", "value": "‸"}}}'), ['cartoon', 'vintage']],
		[step('{"type": "script", "path": "node/draw", "input_transforms": {"style": {"type": "‸"}}}'), ['static', 'javascript']],
		['{"nodes": {"schema": {"properties": {"a": {}, "b": {}}, "required": ["a", "‸"]}}}', ['b']],
		['{"nodes": {"value": {"early_return": "‸", "modules": [{"id": "x"}]}}}', ['x']],
		[flow(`${first}, ‸`), ['Draw', 'For each', 'Approval', 'The other']]
	])('%s', async (marked, expected) => expect(await labels(marked)).toEqual(expect.arrayContaining(expected)));

	it('does not offer the workflow itself, or an input twice', async () => {
		expect(await labels(step('{"type": "flow", "path": "‸"}'))).toEqual(['workflow/other']);
		expect(await labels('{"nodes": {"schema": {"properties": {"a": {}, "b": {}}, "required": ["a", "‸"]}}}')).toEqual(['b']);
	});

	it.each([
		[step('{"type": "scr‸"}'), 'script', step('{"type": "script"‸}')],
		[step('{"type": ‸}'), 'script', step('{"type": "script"‸}')],
		[step('{"type": ‸ "path": ""}'), 'script', step('{"type": "script"‸, "path": ""}')],
		[flow('{"continue_on_error": t‸}'), 'true', flow('{"continue_on_error": true‸}')],
		['[‸]', 'none', undefined]
	])('%s, %s', async (marked, label, expected) => expect(await accept(marked, label)).toBe(expected));

	it('inserts a step with a free id and its inputs connected, and the commas around it', async () => {
		const marked = `{"nodes": {"schema": {"properties": {"prompt": {"type": "string"}}}, "value": {"modules": [\n  {"id": "draw"}\n  ‸\n  {"id": "last"}\n]}}}`;
		const text = (await accept(marked, 'Draw'))!.replace(/[‸‹›]/g, '');
		const { nodes } = JSON.parse(text) as { nodes: { value: { modules: { id: string; value: object }[] } } };
		expect(nodes.value.modules.map(({ id }) => id)).toEqual(['draw', 'draw_2', 'last']);
		expect(nodes.value.modules[1]!.value).toEqual({ type: 'script', path: 'node/draw', input_transforms: { prompt: { type: 'javascript', expr: 'flow_input.prompt' } } });
		expect(text).toContain('\n  {\n    "id": "draw_2",');
	});

	it('replaces what was typed since the list was made', async () => {
		const before = flow('{"id": "x" ‸}');
		const chosen = (await complete(before))!.options.find(({ label }) => label === 'summary')!;
		const later = before.replace('‸', 'summ');
		expect(applyTextChanges(later, moveEnd(chosen, before.indexOf('‸'), 4).changes)).toBe(flow('{"id": "x", "summary": ""}'));
	});

	it('gives the first input of a step lines of its own', async () => {
		const marked = '{"nodes": {"value": {"modules": [\n  {"value": {"type": "script", "path": "node/draw", "input_transforms": {‸}}}\n]}}}';
		expect(await accept(marked, 'prompt')).toBe(marked.replace('{‸}', '{\n    "prompt": {\n      "type": "static",\n      "value": "‸"\n    }\n  }'));
	});

	it('gives the first step of an empty list lines of its own', async () => {
		expect(await accept('{\n  "nodes": {"value": {"modules": [‸]}}\n}', 'Pass on')).toBe(
			'{\n  "nodes": {"value": {"modules": [\n    {\n      "id": "pass_on",\n      "summary": "Pass on",\n      "value": {\n        "type": "identity"\n      }\n    }‸\n  ]}}\n}'
		);
	});
});

describe('completion in expressions', () => {
	const input = (expr: string) => step(`{"type": "script", "path": "node/draw", "input_transforms": {"prompt": {"type": "javascript", "expr": "${expr}"}}}`);

	it.each([
		['results.first.‸', 'image', 'results.first.image‸'],
		['\\"a \\" + results.first.image.u‸', 'url', '\\"a \\" + results.first.image.url‸'],
		['flow_input.‸', 'photo', 'flow_input.photo‸']
	])('%s, %s', async (before, label, after) => expect(await accept(input(before), label)).toBe(input(after)));

	it('asks the core with the document as far as it can be read, and adds keys of the last run', async () => {
		const asked: unknown[] = [];
		const complete: WorkflowFacts['core']['complete'] = ({ text, pointer }, _, expression, before) => {
			asked.push((JSON.parse(text) as { value: { modules: unknown[] } }).value.modules.length, pointer, expression, before);
			return Promise.resolve({ replaced: 1, options: [{ label: 'mime', insert: '.mime', kind: 'member', type: 'string', description: '' }] });
		};
		const marked = input('results.first.image.‸').replace(/}$/, '');
		const found = await completeJson(marked.replace('‸', ''), marked.indexOf('‸'), workflowKnowledge(schema, () => ({ ...facts, core: { complete } })));
		expect(asked).toEqual([2, '', '/value/modules/1/value/input_transforms/prompt/expr', 'results.first.image.']);
		expect(found?.options.map(({ label, detail }) => [label, detail])).toEqual([
			['mime', 'string'],
			['url', 'string = u']
		]);
	});
});

describe('the schema of workflows', () => {
	/** All paths of objects in a document with their keys. */
	function keysOf(value: unknown, path: Path = []): { path: Path; key: string }[] {
		if (Array.isArray(value)) return value.flatMap((item, index) => keysOf(item, [...path, index]));
		if (typeof value !== 'object' || value === null) return [];
		return Object.entries(value).flatMap(([key, inner]) => [{ path, key }, ...keysOf(inner, [...path, key])]);
	}

	it.each(WORKFLOW_TEMPLATES.map((template) => [template.id, template] as const))('knows all keys of the template %s', (_, { name, document }) => {
		const whole = { name, nodes: document };
		const unknown = keysOf(whole).filter(({ path, key }) => {
			// The content of constants and defaults is free.
			if (path.some((segment) => segment === 'default' || segment === 'return_value') || path.at(-1) === 'value' && path.at(-3) === 'input_transforms') return false;
			return schemasAt(schema, [...path, key], whole).length === 0;
		});
		expect(unknown).toEqual([]);
	});
});

import { describe, expect, it } from 'vitest';
import type { Node } from '#lib/api/types.ts';
import type { Catalog } from '#lib/core.ts';
import { filterScope, isCompatible, readPlainPath, sortByFit } from './scope-search.ts';
import { listScope, type ScopeEntry, type ScopeSite } from './scope.ts';
import { listInputs } from './step-inputs.ts';

const node = {
	id: 'flux',
	input: [
		{ name: 'prompt', type: 'string', required: true },
		{ name: 'steps', type: 'integer', default: 4, minimum: 1, maximum: 8 }
	],
	output: [{ name: 'image', type: 'image', description: 'The picture' }]
} as unknown as Node;
const catalog: Catalog = {
	connectors: {},
	nodes: { flux: node },
	workflows: { sub: { schema: { properties: { size: { type: 'integer', enum: [1, 2] } }, required: ['size'] } } }
};
const call = (id: string) => ({ id, value: { type: 'script', path: 'replicate/flux', input_transforms: {} } });
const document = {
	schema: { properties: { photo: { type: 'string', description: 'Address' } } },
	value: {
		modules: [
			call('first'),
			{ id: 'each', value: { type: 'forloopflow', modules: [{ id: 'inner', value: { type: 'identity' } }, call('second')] } },
			call('last')
		]
	}
};
const artifact = { artifact: 'a1', url: '/api/v1/artifacts/a1', mime: 'image/png' };
const lastRun = { input: { photo: 'x', extra: { deep: [1] } }, results: new Map<string, unknown>([['first', { image: artifact }], ['inner', [{ n: 1 }]]]) };
const scope = (pointer: string) => listScope(document, pointer, catalog, lastRun);
const flatten = (entries: ScopeEntry[]): string[] => entries.flatMap((entry) => [entry.expression, ...flatten(entry.children)]);

describe('listScope', () => {
	it('offers the nearest steps first, then the inputs', () => {
		expect(scope('/value/modules/2').map(({ expression }) => expression)).toEqual(['results.each', 'results.first', 'flow_input']);
	});
	it('offers the item inside a loop', () => {
		expect(scope('/value/modules/1/value/modules/1').map(({ expression }) => expression)).toEqual([
			'flow_input.iter.value',
			'results.inner',
			'results.first',
			'flow_input'
		]);
	});
	it('shows declared outputs with types, and values inside them', () => {
		const first = scope('/value/modules/2').find(({ expression }) => expression === 'results.first');
		expect(first?.children[0]).toMatchObject({ label: 'image', type: 'image', description: 'The picture', sample: artifact });
		expect(flatten([first!])).toContain('results.first.image.url');
	});
	it('shows values that nothing declares', () => {
		expect(flatten(scope('/value/modules/0'))).toEqual(['flow_input', 'flow_input.photo', 'flow_input.extra', 'flow_input.extra.deep', 'flow_input.extra.deep[0]']);
	});
});

it('offers the first of several outputs by itself', () => {
	const several = { ...catalog, nodes: { flux: { ...node, output: [{ name: 'images', type: 'image', pick: 'all' }] } as unknown as Node } };
	const [step] = listScope(document, '/value/modules/1', several, null);
	expect(step?.children[0]).toMatchObject({ type: 'array', children: [{ expression: 'results.first.images[0]', type: 'image' }] });
});

describe('the scope of a place', () => {
	const asked = {
		schema: { properties: { photos: { type: 'array', items: { type: 'string', format: 'image' } }, size: { type: 'object', properties: { width: { type: 'integer' } } } } },
		value: {
			modules: [
				{ ...call('ask'), suspend: { required_events: 1, resume_form: { schema: { properties: { note: { type: 'string' } } } } } },
				{ id: 'each', value: { type: 'forloopflow', iterator: { type: 'javascript', expr: 'flow_input.photos' }, modules: [call('inner')] } },
				{ id: 'choice', value: { type: 'branchone', branches: [{ modules: [call('left')] }, { modules: [call('right')] }], default: [] } }
			],
			failure_module: call('failure')
		}
	};
	const run = { input: { photos: [artifact] }, results: new Map<string, unknown>() };
	const paths = (pointer: string, site?: ScopeSite) => flatten(listScope(asked, pointer, catalog, run, site)).filter((path) => !/\.(artifact|url|mime)$/.test(path));
	it.each<[string, ScopeSite, string[]]>([
		['/value/modules/1', 'input', ['resume', 'resume.note', 'resumes', 'approvers', 'results.ask', 'results.ask.image', ...['', '.photos', '.photos[0]', '.size', '.size.width'].map((path) => `flow_input${path}`)]],
		['/value/modules/0', 'retry', ['result', 'result.image', 'error', 'error.name', 'error.message', 'error.step_id', 'flow_input', 'flow_input.photos', 'flow_input.photos[0]', 'flow_input.size', 'flow_input.size.width']],
		['/value/modules/0', 'sleep', ['result', 'result.image', 'flow_input', 'flow_input.photos', 'flow_input.photos[0]', 'flow_input.size', 'flow_input.size.width']]
	])('at %s for %s', (pointer, site, expected) => expect(paths(pointer, site)).toEqual(expected));
	it.each([
		['/value/modules/1/value/modules/0', ['flow_input.iter.value', 'results.ask', 'flow_input']],
		['/value/modules/2/value/branches/1/modules/0', ['results.each', 'results.ask', 'flow_input']],
		['/value/modules/3', ['results.choice', 'results.right', 'results.left', 'results.each', 'results.ask', 'flow_input']],
		['/value/failure_module', ['error', 'results.choice', 'results.right', 'results.left', 'results.each', 'results.ask', 'flow_input']]
	])('at %s are only earlier steps', (pointer, expected) => expect(listScope(asked, pointer, catalog, run).map(({ expression }) => expression)).toEqual(expected));
	it('gives the item of a loop the type and the value of what its list contains', () => {
		expect(listScope(asked, '/value/modules/1/value/modules/0', catalog, run)[0]).toMatchObject({ type: 'image', sample: artifact });
		expect(listScope(asked, '/value/modules/2', catalog, run).find(({ label }) => label === 'each')?.type).toBe('array');
	});
	it('puts what fits first', () => {
		const sorted = sortByFit(listScope(asked, '/value/modules/2', catalog, run), 'image');
		expect(sorted.map(({ expression }) => expression)).toEqual(['results.ask', 'flow_input', 'results.each']);
	});
});

it('filterScope keeps what leads to a match', () => {
	const found = filterScope(scope('/value/modules/2'), 'mime');
	expect(flatten(found)).toEqual(['results.first', 'results.first.image', 'results.first.image.mime']);
	expect(filterScope(found, 'nothing')).toEqual([]);
});

it.each([
	['results.first.image.mime', 'image/png'],
	['results?.first?.image.mime', 'image/png'],
	['flow_input.extra.deep[0]', 1],
	['results.first.none', undefined],
	['results.first.image.mime + 1', undefined]
])('readPlainPath(%s)', (expression, value) => expect(readPlainPath(expression, scope('/value/modules/2'))).toEqual(value));

it.each([
	['image', 'image', true],
	['image', 'string', true],
	['string', 'image', true],
	['video', 'image', false],
	['', 'image', true],
	['integer', 'number', true],
	['number', 'integer', false],
	['object', 'string', false]
])('isCompatible(%s, %s)', (found, expected, fits) => expect(isCompatible(found, expected)).toBe(fits));

describe('listInputs', () => {
	it('lists inputs of the node, then others', () => {
		const inputs = listInputs({ value: { type: 'script', path: 'node/flux', input_transforms: { seed: {} } } }, catalog);
		expect(inputs.map(({ name, required, undeclared, schema }) => [name, required, undeclared, schema.maximum])).toEqual([
			['prompt', true, false, null],
			['steps', false, false, 8],
			['seed', false, true, null]
		]);
	});
	it('lists inputs of a sub-flow', () => {
		expect(listInputs({ value: { type: 'flow', path: 'workflow/sub' } }, catalog)).toMatchObject([{ name: 'size', required: true, schema: { options: [1, 2] } }]);
	});
	it('lists what is given to an unknown node', () => {
		expect(listInputs({ value: { type: 'script', path: 'node/gone', input_transforms: { x: {} } } }, catalog)).toMatchObject([{ name: 'x', undeclared: false }]);
	});
});

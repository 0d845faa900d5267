import { describe, expect, it } from 'vitest';
import { valueAt } from '#lib/pointer.ts';
import { moduleIds, visibleModules, type Module } from './modules.ts';
import { isDisabled } from './disabled-steps.ts';
import { findReferrers, makeStepId, StepEditor } from './step-edits.ts';

const script = (id: string, expr?: string): Module => ({
	id,
	value: { type: 'script', path: 'node/n', input_transforms: expr ? { x: { type: 'javascript', expr } } : {} }
});

const flow = {
	value: {
		modules: [
			script('a'),
			script('b', 'results.a.url'),
			{
				id: 'each',
				value: {
					type: 'forloopflow',
					iterator: { type: 'javascript', expr: 'results.b' },
					modules: [script('inner', 'flow_input.iter.value'), script('second', 'results.inner')]
				}
			},
			{
				id: 'choice',
				value: { type: 'branchone', branches: [{ expr: 'results.a', modules: [script('left')] }], default: [] }
			},
			script('last', 'results.left ?? results.each')
		],
		failure_module: script('failure', 'results.a')
	}
};
const text = JSON.stringify({ name: 'n', nodes: flow }, null, 2);
const editor = () => new StepEditor(text, '/nodes');
const ids = (value: unknown, list = '/nodes/value/modules') => (valueAt(value, list) as Module[]).map(({ id }) => id);

describe('insert', () => {
	it('puts a module at its place with an id of its own', () => {
		const { edit, select } = editor().insert('/value/modules/1', [script('a')]);
		expect([ids(edit.value), select]).toEqual([['a', 'a_2', 'b', 'each', 'choice', 'last'], ['/value/modules/1']]);
	});
	it('creates a missing list', () => {
		const { edit } = new StepEditor('{"nodes": {}}', '/nodes').insert('/value/modules/0', [script('a')]);
		expect(ids(edit.value)).toEqual(['a']);
	});
	it('rewires references among pasted modules and leaves others', () => {
		const { edit } = editor().insert('/value/modules/5', [script('a'), script('b', 'results.a + results.each')]);
		expect(valueAt(edit.value, '/nodes/value/modules/6/value/input_transforms/x/expr')).toBe('results.a_2 + results.each');
	});
	it('names a module without an id after its node', () => {
		const { edit } = editor().insert('/value/modules/0', [{ value: { type: 'script', path: 'node/flux-1.1 pro' } }]);
		expect(ids(edit.value)[0]).toBe('flux_1_1_pro');
	});
	it('sets the failure handler', () => {
		const { edit } = new StepEditor('{"nodes": {"value": {"modules": []}}}', '/nodes').insert('/value/failure_module', [script('failure')]);
		expect(valueAt(edit.value, '/nodes/value/failure_module/id')).toBe('failure');
	});
});

describe('remove', () => {
	it('removes several steps and says what still refers to them', () => {
		const { edit, dangling } = editor().remove(['/value/modules/0', '/value/modules/2', '/value/modules/2/value/modules/0']);
		expect(ids(edit.value)).toEqual(['b', 'choice', 'last']);
		expect(dangling).toEqual({ a: ['b', 'choice', 'failure'], each: ['last'] });
	});
});

describe('duplicate', () => {
	it('copies a loop with its steps under new ids', () => {
		const { edit, select } = editor().duplicate(['/value/modules/2']);
		expect(ids(edit.value)).toEqual(['a', 'b', 'each', 'each_2', 'choice', 'last']);
		expect(ids(edit.value, '/nodes/value/modules/3/value/modules')).toEqual(['inner_2', 'second_2']);
		expect(valueAt(edit.value, '/nodes/value/modules/3/value/modules/1/value/input_transforms/x/expr')).toBe('results.inner_2');
		expect(select).toEqual(['/value/modules/3']);
	});
	it('copies several steps, and what is inside a copied loop once', () => {
		const { edit, select } = editor().duplicate(['/value/modules/2/value/modules/0', '/value/modules/0', '/value/modules/2', '/value/failure_module']);
		expect(ids(edit.value)).toEqual(['a', 'b', 'each', 'a_2', 'each_2', 'choice', 'last']);
		expect(select).toEqual(['/value/modules/3', '/value/modules/4']);
	});
});

describe('move', () => {
	it.each([
		['/value/modules/0', '/value/modules/2', ['b', 'a', 'each', 'choice', 'last'], '/value/modules/1'],
		['/value/modules/4', '/value/modules/0', ['last', 'a', 'b', 'each', 'choice'], '/value/modules/0'],
		['/value/modules/1', '/value/modules/2/value/modules/0', ['a', 'each', 'choice', 'last'], '/value/modules/1/value/modules/0'],
		['/value/modules/3/value/branches/0/modules/0', '/value/modules/0', ['left', 'a', 'b', 'each', 'choice', 'last'], '/value/modules/0'],
		['/value/modules/0', '/value/modules/3/value/default/0', ['b', 'each', 'choice', 'last'], '/value/modules/2/value/default/0']
	])('%s to %s', (from, to, order, place) => {
		const moved = editor().move([from], to);
		expect([ids(moved?.edit.value), moved?.select]).toEqual([order, [place]]);
		const id = valueAt(flow, `${from}/id`);
		expect(valueAt(moved?.edit.value, `/nodes${place}/id`)).toBe(id);
		expect(moduleIds(valueAt(moved?.edit.value, '/nodes'))).toEqual(moduleIds(flow));
	});
	it('keeps the order of several steps', () => {
		const moved = editor().move(['/value/modules/4', '/value/modules/0', '/value/modules/2/value/modules/1'], '/value/modules/3/value/branches/0/modules/1');
		expect(ids(moved?.edit.value)).toEqual(['b', 'each', 'choice']);
		expect(ids(moved?.edit.value, '/nodes/value/modules/2/value/branches/0/modules')).toEqual(['left', 'a', 'second', 'last']);
		expect(moved?.select).toEqual([1, 2, 3].map((index) => `/value/modules/2/value/branches/0/modules/${index}`));
	});
	it.each([
		['into itself', ['/value/modules/2'], '/value/modules/2/value/modules/0'],
		['to its own place', ['/value/modules/2'], '/value/modules/2'],
		['behind itself', ['/value/modules/2'], '/value/modules/3'],
		['out of no list', ['/value/failure_module'], '/value/modules/0']
	])('does not move a step %s', (_, from, to) => expect(editor().move(from, to)).toBeNull());
});

describe('rename', () => {
	it('renames all references and nothing else', () => {
		const { edit } = editor().rename('/value/modules/0', 'first');
		expect(edit.text).toBe(text.replace('"id": "a"', '"id": "first"').replaceAll('results.a', 'results.first'));
	});
});

describe('setDisabled', () => {
	it('keeps the own condition of a step', () => {
		const own = JSON.stringify({ nodes: { value: { modules: [{ ...script('a'), skip_if: { expr: 'flow_input.x || y' } }] } } });
		const off = new StepEditor(own, '/nodes').setDisabled(['/value/modules/0'], true).edit;
		const module = valueAt(off.value, '/nodes/value/modules/0') as Module;
		expect([isDisabled(module), module.skip_if]).toEqual([true, { expr: 'true || (flow_input.x || y)' }]);
		expect(new StepEditor(off.text, '/nodes').setDisabled(['/value/modules/0'], false).edit.value).toEqual(JSON.parse(own));
	});
	it('leaves no trace of a step without a condition', () => {
		const off = editor().setDisabled(['/value/modules/0'], true).edit;
		expect(new StepEditor(off.text, '/nodes').setDisabled(['/value/modules/0'], false).edit.text).toBe(text);
	});
});

it('visibleModules are those before a place, and not those in loops', () => {
	const visible = (pointer: string) => visibleModules(flow, pointer).map(({ module }) => module.id);
	expect(visible('/value/modules/0')).toEqual([]);
	expect(visible('/value/modules/2/value/modules/1')).toEqual(['a', 'b', 'inner']);
	expect(visible('/value/modules/4')).toEqual(['a', 'b', 'each', 'left', 'choice']);
	expect(visible('/value/failure_module')).toEqual(['a', 'b', 'each', 'left', 'choice', 'last']);
});

it('many copies get ids in order', () => {
	const copies = editor().insert('/value/modules/5', Array.from({ length: 3 }, () => script('a')));
	expect(ids(copies.edit.value)).toEqual(['a', 'b', 'each', 'choice', 'last', 'a_2', 'a_3', 'a_4']);
	expect(copies.select).toEqual(['/value/modules/5', '/value/modules/6', '/value/modules/7']);
});

it('findReferrers names the innermost steps', () => {
	expect(findReferrers(flow, new Set(['inner', 'b', 'none']))).toEqual(new Map([['inner', ['second']], ['b', ['each']]]));
});

it.each([
	['Flux Kontext Pro', 'flux_kontext_pro'],
	['1.1', 'step_1_1'],
	['a', 'a_3'],
	['a_2', 'a_3'],
	['', 'step']
])('makeStepId(%s)', (base, id) => expect(makeStepId(base, new Set(['a', 'a_2']))).toBe(id));

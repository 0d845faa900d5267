import { describe, expect, it } from 'vitest';
import type { Step } from '#lib/api/types.ts';
import type { LayoutNode } from '#lib/graph/flow.ts';
import { isRunnable, isInLoop, initialMocks, findReferencedSteps, partTitle } from './partial.ts';

function node(id: string, pointer: string, kind = 'script'): LayoutNode {
	return { id, pointer, kind, label: id, parent: null, x: 0, y: 0, width: 1, height: 1 };
}

const script = (expr: string) => ({ type: 'script', path: 'node/n', input_transforms: { x: { type: 'javascript', expr } } });
const [a, bb, loop, inner, last] = [
	node('a', '/value/modules/0'),
	node('b-b', '/value/modules/1'),
	node('loop', '/value/modules/2', 'forloopflow'),
	node('inner', '/value/modules/2/value/modules/0'),
	node('last', '/value/modules/3')
] as const;
const nodes = [a, bb, node('loop@group', loop.pointer, 'group'), loop, inner, last];

function named(expr: string, step: LayoutNode = last) {
	const module = (id: string) => ({ id, value: script(id === step.id ? expr : 'results.never') });
	const modules = [module('a'), module('b-b'), { id: 'loop', value: { modules: [module('inner')] } }, module('last')];
	return findReferencedSteps({ value: { modules } }, step, nodes);
}

describe('findReferencedSteps', () => {
	it.each([
		['results.a.output', ['a']],
		["results['b-b'].x + results . a", ['a', 'b-b']],
		['results?.a?.x ?? results?.["b-b"]', ['a', 'b-b']],
		['results.aa', []],
		['my_results.a', []],
		['results.last', []],
		['flow_input.a', []],
		['previous_result.x', ['loop']],
		['results.loop[0]', ['loop']]
	])('of %j', (expr, ids) => expect(named(expr)).toEqual(ids));
	it('finds nothing before the first step', () => expect(named('previous_result', inner)).toEqual([]));
});

it('a step inside a loop may use the item; the loop itself may not', () => {
	expect(nodes.filter((each) => isInLoop(each, nodes)).map(({ id }) => id)).toEqual(['inner']);
});

it('only steps with an id that are not error handlers are runnable', () => {
	const odd = [node('/value/modules/1', '/value/modules/1'), node('failure', '/value/failure_module')];
	expect([a, inner, ...odd].map(isRunnable)).toEqual([true, true, false, false]);
});

it('initialMocks uses the results of an earlier run', () => {
	const step = (id: string, status: Step['status'], output: unknown) => ({ id, status, output }) as Step;
	const steps = [step('a', 'completed', { x: 1 }), step('b', 'failed', { error: {} }), step('c', 'skipped', null)];
	expect(initialMocks(['a', 'b', 'c', 'd'], steps)).toEqual({ a: { x: 1 }, b: {}, c: {}, d: {} });
});

it('partTitle names the part', () => {
	expect([partTitle({ kind: 'whole' }), partTitle({ kind: 'until', step: a }), partTitle({ kind: 'only', step: a })]).toEqual([
		'Run the workflow',
		'Run up to a',
		'Run only a'
	]);
});

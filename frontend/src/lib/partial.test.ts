import { describe, expect, it } from 'vitest';
import type { Step } from '#lib/api/types.ts';
import type { LayoutNode } from '#lib/graph/flow.ts';
import { canBePart, isInLoop, mocksOf, namedResults, partName } from './partial.ts';

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
	return namedResults({ value: { modules } }, step, nodes);
}

describe('namedResults', () => {
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
	it('of a first step that names what came before it: nothing', () => expect(named('previous_result', inner)).toEqual([]));
});

it('a step inside a loop may use the item; the loop itself may not', () => {
	expect(nodes.filter((each) => isInLoop(each, nodes)).map(({ id }) => id)).toEqual(['inner']);
});

it('a part ends with a step that has an id and is no error handler', () => {
	const odd = [node('/value/modules/1', '/value/modules/1'), node('failure', '/value/failure_module')];
	expect([a, inner, ...odd].map(canBePart)).toEqual([true, true, false, false]);
});

it('mocksOf takes what an earlier run gave', () => {
	const step = (id: string, status: Step['status'], output: unknown) => ({ id, status, output }) as Step;
	const steps = [step('a', 'completed', { x: 1 }), step('b', 'failed', { error: {} }), step('c', 'skipped', null)];
	expect(mocksOf(['a', 'b', 'c', 'd'], steps)).toEqual({ a: { x: 1 }, b: {}, c: {}, d: {} });
});

it('partName says what is run', () => {
	expect([partName({ kind: 'whole' }), partName({ kind: 'until', step: a }), partName({ kind: 'only', step: a })]).toEqual([
		'Run without saving',
		'Run up to a',
		'Run only a'
	]);
});

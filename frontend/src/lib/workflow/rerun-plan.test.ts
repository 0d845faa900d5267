import { describe, expect, it } from 'vitest';
import type { Step } from '#lib/api/types.ts';
import { pinnedSteps, planRerun } from './rerun-plan.ts';

const step = (id: string) => ({ id, value: { type: 'identity' } });
const document = {
	value: {
		modules: [
			step('a'),
			{ id: 'fork', value: { type: 'branchone', branches: [{ expr: 'true', modules: [step('b')] }], default: [step('c')] } },
			{ id: 'loop', value: { type: 'forloopflow', iterator: {}, modules: [step('d'), step('e')] } },
			step('f')
		]
	}
};
const ran = (id: string, status = 'completed') => ({ id, status, output: `${id}!` }) as unknown as Step;
const all = [ran('a'), ran('b'), ran('fork'), ran('d'), ran('loop'), ran('f', 'failed')];

describe('a run from a step on', () => {
	const cases: [string, string, Step[], ReturnType<typeof planRerun>][] = [
		['the first step', '/value/modules/0', all, { from: 'a', reused: {}, missing: [] }],
		['behind branches and loops', '/value/modules/3', all, { from: 'f', reused: { a: 'a!', b: 'b!', loop: 'loop!' }, missing: [] }],
		['in a branch', '/value/modules/1/value/branches/0/modules/0', all, { from: 'b', reused: { a: 'a!' }, missing: [] }],
		['in a loop: the whole loop runs', '/value/modules/2/value/modules/1', all, { from: 'loop', reused: { a: 'a!', b: 'b!' }, missing: [] }],
		['a step that failed is not reused', '/value/modules/3', [ran('a', 'failed'), ran('loop')], { from: 'f', reused: { loop: 'loop!' }, missing: ['a'] }],
		['a step that is new runs, too', '/value/modules/3', [ran('b'), ran('loop')], { from: 'f', reused: { b: 'b!', loop: 'loop!' }, missing: ['a'] }]
	];
	it.each(cases)('%s', (_, pointer, steps, expected) => expect(planRerun(document, pointer, steps)).toEqual(expected));
});

it('lists the steps whose output is pinned', () => {
	const pinned = { ...step('p'), mock: { enabled: true, return_value: 1 } };
	const off = { ...step('o'), mock: { enabled: false } };
	expect(pinnedSteps({ value: { modules: [pinned, off, step('a')] } })).toEqual(['p']);
});

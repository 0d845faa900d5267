import { expect, it } from 'vitest';
import type { Step, StepStatus } from '#lib/api/types.ts';
import { filterByIteration, listLoopRuns } from './iterations.ts';

const step = (id: string, path: string, status: StepStatus = 'completed') => ({ id, path, status }) as Step;
const steps = [
	step('a', ''),
	step('b', 'loop[0]'),
	step('b', 'loop[1]', 'failed'),
	step('c', 'loop[1]'),
	step('d', 'loop[1]/inner[0]', 'running'),
	step('e', 'choice[0]')
];

it('listLoopRuns gives each iteration its most urgent state', () => {
	expect(listLoopRuns(steps, new Set(['loop', 'inner']))).toEqual([
		{ path: '', loop: 'loop', iterations: [{ index: 0, status: 'completed' }, { index: 1, status: 'failed' }] },
		{ path: 'loop[1]', loop: 'inner', iterations: [{ index: 0, status: 'running' }] }
	]);
});

it('filterByIteration keeps what is outside of the chosen loops', () => {
	expect(filterByIteration(steps, { loop: 1 }).map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd', 'e']);
	expect(filterByIteration(steps, { loop: 0 }).map(({ id }) => id)).toEqual(['a', 'b', 'e']);
	expect(filterByIteration(steps, {})).toHaveLength(6);
});

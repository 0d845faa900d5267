import { expect, it } from 'vitest';
import { countProgress, tabTitle, topLevelIds, workingSteps } from './job-progress.ts';

const step = (id: string, status: 'running' | 'completed' | 'suspended' | 'retrying' | 'failed' = 'completed', path = '') => ({ id, status, path });

it('counts ended steps at the top level, but not those that run again', () => {
	const document = { value: { modules: [{ id: 'a' }, { id: 'each', value: { modules: [{ id: 'in' }] } }, { id: 'b' }, {}] } };
	const modules = topLevelIds(document);
	expect(modules).toEqual(['a', 'each', 'b']);
	expect(countProgress(modules, [step('a'), step('each', 'running'), step('in', 'completed', 'each[0]')])).toEqual({ done: 1, total: 3 });
	expect(countProgress(modules, [step('a', 'failed'), step('a', 'running')])).toEqual({ done: 0, total: 3 });
	expect(topLevelIds(undefined)).toEqual([]);
});

it.each([
	['running', { done: 3, total: 5 }, '▶ 3/5 Hat'],
	['running', { done: 0, total: 1 }, '▶ Hat'],
	['suspended', { done: 3, total: 5 }, '⏸ Hat'],
	['completed', { done: 5, total: 5 }, '✓ Hat'],
	['failed', { done: 2, total: 5 }, '✗ Hat']
] as const)('titles a %s job', (status, progress, expected) => expect(tabTitle('Hat', status, progress)).toBe(expected));

it('finds the innermost steps that work', () => {
	const steps = [step('a'), step('each', 'running'), step('draw', 'running', 'each[0]'), step('ask', 'suspended', 'each[1]'), step('each2', 'running')];
	expect(workingSteps(steps).map(({ id }) => id)).toEqual(['draw', 'ask', 'each2']);
});

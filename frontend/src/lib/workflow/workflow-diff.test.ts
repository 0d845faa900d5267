import { describe, expect, it } from 'vitest';
import { describeDiff, diffSteps, diffWorkflows, withRemovedSteps } from './workflow-diff.ts';
import { allModules, type Module } from './modules.ts';

const step = (id: string, more: object = {}): Module => ({ id, value: { type: 'script', path: 'node/n', input_transforms: {} }, ...more });
const loop = (id: string, ...modules: Module[]): Module => ({ id, value: { type: 'forloopflow', iterator: { type: 'static', value: [1] }, modules } });
const branch = (id: string, modules: Module[], otherwise: Module[]): Module => ({ id, value: { type: 'branchone', branches: [{ expr: 'true', modules }], default: otherwise } });
const flow = (...modules: Module[]) => ({ value: { modules } });

const changes = (before: unknown, after: unknown) => diffSteps(before, after).map(({ id, change, parts }) => [id, change, ...parts].join(' '));

describe('steps that differ', () => {
	const cases: [string, unknown, unknown, string[]][] = [
		['nothing', flow(step('a'), loop('l', step('b'))), flow(step('a'), loop('l', step('b'))), []],
		['an added and a removed step', flow(step('a'), step('b')), flow(step('b'), step('c')), ['c added', 'a removed']],
		['changed settings by name', flow(step('a')), flow(step('a', { retry: { attempts: 2 }, summary: 'A' })), ['a changed retry summary']],
		['the order of keys does not count', flow({ id: 'a', summary: 's', value: { type: 'identity' } }), flow({ value: { type: 'identity' }, summary: 's', id: 'a' }), []],
		['a loop is not changed by a step in it', flow(loop('l', step('a'))), flow(loop('l', step('a'), step('b'))), ['b added']],
		['the loop itself', flow(loop('l', step('a'))), flow({ ...loop('l', step('a')), value: { ...loop('l', step('a')).value, parallel: true } }), ['l changed parallel']],
		['one moved step of three', flow(step('a'), step('b'), step('c')), flow(step('c'), step('a'), step('b')), ['c moved']],
		['a step moved into a loop', flow(step('a'), loop('l', step('b'))), flow(loop('l', step('b'), step('a'))), ['a moved']],
		['what follows an insertion is not moved', flow(step('a'), loop('l', step('b'))), flow(step('x'), step('a'), loop('l', step('b'))), ['x added']],
		['a step moved to another branch', flow(branch('f', [step('a')], [])), flow(branch('f', [], [step('a')])), ['a moved']],
		['a condition', flow(branch('f', [step('a')], [])), flow({ ...branch('f', [step('a')], []), value: { type: 'branchone', branches: [{ expr: 'false', modules: [step('a')] }], default: [] } }), ['f changed branches']],
		['the failure handler', flow(), { value: { modules: [], failure_module: step('failure') } }, ['failure added']]
	];
	it.each(cases)('%s', (_, before, after, expected) => expect(changes(before, after)).toEqual(expected));
});

describe('what is said about two versions', () => {
	const workflow = (nodes: object, more: object = {}) => ({ name: 'W', nodes, ...more });
	const cases: [unknown, unknown, string][] = [
		[workflow(flow(step('a'))), workflow(flow(step('a'))), 'no differences'],
		[workflow(flow(step('a'))), workflow(flow(step('b'), step('c'))), '2 steps added, 1 removed'],
		[workflow(flow()), workflow(flow(), { name: 'V' }), 'name changed'],
		[workflow({ ...flow(), schema: {} }), workflow({ ...flow(step('a')), schema: { type: 'object' } }), '1 step added; inputs changed'],
		[workflow(flow()), workflow({ value: { modules: [], concurrent_limit: 2 } }), 'settings changed']
	];
	it.each(cases)('%#', (before, after, expected) => expect(describeDiff(diffWorkflows(before, after))).toBe(expected));
});

describe('the document with removed steps', () => {
	const ids = (before: unknown, after: unknown) => allModules(withRemovedSteps(before, after)).map(({ module }) => module.id);
	const cases: [string, unknown, unknown, string[]][] = [
		['stands behind what was before it', flow(step('a'), step('b'), step('c')), flow(step('a'), step('x'), step('c')), ['a', 'b', 'x', 'c']],
		['several in a row', flow(step('a'), step('b'), step('c')), flow(), ['a', 'b', 'c']],
		['in its loop', flow(loop('l', step('a'), step('b'))), flow(step('x'), loop('l', step('b'))), ['x', 'l', 'a', 'b']],
		['a loop without the steps that were moved out', flow(loop('l', step('a'), step('b'))), flow(step('a')), ['l', 'b', 'a']],
		['nothing is doubled where a step only moved', flow(step('a'), step('b')), flow(step('b'), step('a')), ['b', 'a']]
	];
	it.each(cases)('%s', (_, before, after, expected) => expect(ids(before, after)).toEqual(expected));

	it('changes neither document', () => {
		const [before, after] = [flow(step('a')), flow()];
		withRemovedSteps(before, after);
		expect([before, after]).toEqual([flow(step('a')), flow()]);
	});
});

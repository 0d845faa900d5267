import { expect, it } from 'vitest';
import { describeBrokenReferences, findBrokenReferences } from './reference-check.ts';

const script = (id: string, expr?: string) => ({ id, value: { type: 'script', input_transforms: expr ? { x: { type: 'javascript', expr } } : {} } });
const flow = (...modules: unknown[]) => ({ value: { modules } });
const loop = (id: string, ...modules: unknown[]) => ({ id, value: { type: 'forloopflow', iterator: { type: 'javascript', expr: 'results.a' }, modules } });

it.each([
	['an earlier step', flow(script('a'), script('b', 'results.a')), []],
	['a later step', flow(script('b', 'results.a'), script('a')), ['b a']],
	['no such step', flow(script('b', 'results.x')), ['b x']],
	['a step inside an earlier loop', flow(script('a'), loop('l', script('in')), script('b', 'results.in')), ['b in']],
	['the item within a loop', flow(script('a'), loop('l', script('in', 'flow_input.iter.value'))), []],
	['the item outside of a loop', flow(script('b', 'flow_input.iter.value')), ['b flow_input.iter']],
	['a step of its own loop', flow(script('a'), { ...loop('l', script('in')), stop_after_if: { expr: 'results.in' } }), []]
])('finds references to %s', (_, document, expected) => {
	expect(findBrokenReferences(document).map(({ user, target }) => `${user} ${target}`)).toEqual(expected);
});

it('tells only what an edit broke', () => {
	const before = flow(script('a'), script('b', 'results.a + results.x'));
	expect(describeBrokenReferences(before, before)).toBe('');
	expect(describeBrokenReferences(before, flow(script('b', 'results.a + results.x'), script('a')))).toBe('b reads the result of a, which is not available there.');
	expect(describeBrokenReferences(flow(), flow(script('c', 'flow_input.iter')))).toBe('c reads the item of a loop, but is in none.');
});

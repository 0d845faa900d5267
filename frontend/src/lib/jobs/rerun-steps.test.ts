import { expect, it } from 'vitest';
import type { Step } from '#lib/api/types.ts';
import { planRerunSteps, topLevelOf } from './rerun-steps.ts';

const DOCUMENT = { value: { modules: [{ id: 'a', summary: 'First' }, { id: 'each', value: { type: 'forloopflow', modules: [{ id: 'draw' }] } }, { id: 'z' }] } };
const paid = (amount: string) => ({ amounts: { USD: amount }, unknown: 0 });
const ran = (id: string, path: string, status: Step['status'], cost: Step['cost'] = null) => ({ id, path, status, cost }) as Step;
const RAN = [ran('a', '', 'completed', paid('0.1')), ran('each', '', 'failed'), ran('draw', 'each[0]', 'completed', paid('0.2')), ran('draw', 'each[1]', 'failed', paid('0.3'))];

/** Actions of the steps, then the costs of what is reused and repeated. */
const check = (from: Step | undefined, expected: string[], document: unknown = DOCUMENT) => {
	const { steps, reusedCost, repeatedCost } = planRerunSteps(document, RAN, from);
	expect([...steps.map(({ id, action }) => `${id} ${action}`), reusedCost, repeatedCost]).toEqual(expected);
};

it('a whole rerun reuses nothing', () => check(undefined, ['a runs', 'each runs', 'z runs', '', '$0.60']));
it('a rerun from a step reuses those before it', () => check(RAN[1], ['a reused', 'each runs', 'z runs', '$0.10', '$0.50']));
it('a rerun from inside a loop runs a part of it', () => check(RAN[3], ['a reused', 'each partly', 'z runs', '$0.10', '$0.50']));

it('steps that are new in the saved workflow run', () => {
	check(RAN[1], ['a reused', 'new runs', 'each runs', '$0.10', '$0.50'], { value: { modules: [{ id: 'a' }, { id: 'new' }, { id: 'each' }] } });
});

it('says that the workflow lacks the step', () => {
	expect(planRerunSteps({ value: { modules: [{ id: 'a' }] } }, RAN, RAN[1]).isFromMissing).toBe(true);
	expect(planRerunSteps(DOCUMENT, RAN, RAN[1])).toMatchObject({ isFromMissing: false, steps: [{ summary: 'First' }, {}, {}] });
});

it.each([
	[{ id: 'a', path: '' }, 'a'],
	[{ id: 'draw', path: 'each[12]' }, 'each'],
	[{ id: 'x', path: 'fork[0]/loop[3]' }, 'fork']
])('top level of %o', (step, expected) => expect(topLevelOf(step)).toBe(expected));

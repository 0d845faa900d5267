import { expect, it } from 'vitest';
import type { CardRun } from '#lib/graph/graph-context.ts';
import { addIdleCards, StepsInGraph } from './steps-in-graph.ts';

const flow = (id: string, workflow: string) => ({ id, value: { type: 'flow', path: `workflow/${workflow}` } });
const loop = (id: string, ...modules: object[]) => ({ id, value: { type: 'forloopflow', modules } });
const of = (...modules: object[]) => ({ value: { modules } });
const documents = { document: of(flow('sub', 'w'), loop('each', flow('polish', 'w'))), workflows: { w: of(loop('each', flow('again', 'v'))), v: of() } };

it.each([
	['', 'sub', 'sub'],
	['sub[0]', 'a', 'sub/a'],
	['sub[0]/each[2]', 'a', 'sub/a'],
	['each[1]', 'a', 'a'],
	['each[1]/polish[0]/each[3]/again[0]', 'a', 'polish/again/a'],
	['sub[0]/each[2]/again[0]/sub[0]', 'a', 'sub/again/a']
])('the card of %s/%s is %s', (path, id, card) => expect(new StepsInGraph(documents).cardOf({ path, id })).toBe(card));

it.each([
	['running', true, 'waiting'],
	['completed', true, 'not_run'],
	['running', false, 'not_run']
])('the steps of a sub-flow that is %s (job running: %s) are %s', (status, isRunning, expected) => {
	const step = (id: string) => ({ id, value: { type: 'identity' } });
	const ran = new Map(Object.entries({ sub: status, 'sub/a': 'completed' }).map(([id, status]) => [id, { status } as CardRun]));
	const all = addIdleCards(ran, of(flow('sub', 'w'), step('a')), new Map([['sub', of(step('a'), step('b'))]]), isRunning);
	expect(['sub/a', 'sub/b', 'a'].map((id) => all.get(id)?.status)).toEqual(['completed', expected, isRunning ? 'waiting' : 'not_run']);
});

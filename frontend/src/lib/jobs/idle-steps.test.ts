import { expect, it } from 'vitest';
import type { StepStatus } from '#lib/api/types.ts';
import type { CardRun } from '#lib/graph/graph-context.ts';
import { addIdleSteps } from './idle-steps.ts';

const call = (id: string) => ({ id, value: { type: 'script', path: 'node/n' } });
const DOCUMENT = {
	value: {
		modules: [
			call('first'),
			{ id: 'choice', value: { type: 'branchone', branches: [{ modules: [call('yes'), call('yes_too')] }, { modules: [call('maybe')] }], default: [call('no')] } },
			{ id: 'each', value: { type: 'forloopflow', modules: [call('inner')] } },
			call('last')
		],
		failure_module: call('handler')
	}
};

/** States of all cards, given those of the steps that have run. */
function check(ran: Record<string, StepStatus>, isRunning: boolean, expected: Record<string, string>) {
	const runs = new Map(Object.entries(ran).map(([id, status]) => [id, { status } as CardRun]));
	const all = addIdleSteps(runs, DOCUMENT, isRunning);
	expect(Object.fromEntries([...all].map(([id, { status }]) => [id, status]))).toEqual({ ...expected, ...ran });
}

const rest = { inner: 'waiting', each: 'waiting', last: 'waiting' };

it('steps wait while a job can reach them', () => {
	check({ first: 'running' }, true, { choice: 'waiting', yes: 'waiting', yes_too: 'waiting', maybe: 'waiting', no: 'waiting', ...rest });
	check({ first: 'completed', choice: 'running' }, true, { yes: 'waiting', yes_too: 'waiting', maybe: 'waiting', no: 'waiting', ...rest });
});

it('a branch that was not taken is not run', () => {
	check({ choice: 'running', yes: 'running' }, true, { first: 'waiting', yes_too: 'waiting', maybe: 'not_run', no: 'not_run', ...rest });
	check({ choice: 'completed', no: 'completed' }, true, { first: 'waiting', yes: 'not_run', yes_too: 'not_run', maybe: 'not_run', ...rest });
});

it('what is inside a skipped loop is not run', () => {
	check({ each: 'skipped' }, true, { first: 'waiting', choice: 'waiting', yes: 'waiting', yes_too: 'waiting', maybe: 'waiting', no: 'waiting', inner: 'not_run', last: 'waiting' });
});

it('nothing waits after the end', () => {
	check({ first: 'failed' }, false, { choice: 'not_run', yes: 'not_run', yes_too: 'not_run', maybe: 'not_run', no: 'not_run', each: 'not_run', inner: 'not_run', last: 'not_run', handler: 'not_run' });
});

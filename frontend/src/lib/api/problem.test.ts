import { describe, expect, it } from 'vitest';
import { faultsOf, ProblemError, problemOf, problemsOf, refusals } from './problem.ts';

const body = { type: 'about:blank', title: 'Conflict', status: 409, code: 'conflict', detail: 'node `n` uses it' };

describe('problemOf', () => {
	it('keeps the words of the server', () => {
		const problem = problemOf(body);
		expect([problem.status, problem.message, problem.body.code]).toEqual([409, 'node `n` uses it', 'conflict']);
		expect(problemOf(problem)).toBe(problem);
	});
	it('says so where the server cannot be reached', () => {
		expect(problemOf(new TypeError('Failed to fetch'))).toMatchObject({ status: 0, body: { code: 'unreachable' } });
	});
	it('says so where a reply is not ours', () => {
		const problem = problemOf('<html>', new Response('<html>', { status: 502, statusText: 'Bad Gateway' }));
		expect([problem.status, problem.message]).toEqual([502, 'the server returned status 502 without details']);
	});
});

describe('refusals', () => {
	it('gives faults as they are and diagnostics under the prefix', () => {
		const error = new ProblemError({
			...body,
			errors: [{ pointer: '/name', message: 'is empty', help: 'give it a name' }],
			diagnostics: [{ code: 'unknown-node', severity: 'error', pointer: '/value', message: 'no node `x`' }]
		});
		expect(refusals(error, '/nodes').map(({ pointer, message }) => [pointer, message])).toEqual([
			['/name', 'is empty: give it a name'],
			['/nodes/value', 'no node `x`']
		]);
	});
	it('gives nothing without an error', () => expect(refusals(null, '')).toEqual([]));
});

it('problemsOf keeps severity and span, and moves the mend, too', () => {
	const span = { line: 1, column: 4 };
	const fix = { label: 'rename', pointer: '/b', value: 1 };
	expect(problemsOf([{ code: 'x', severity: 'warning', pointer: '/a', message: 'm', span, fix }], '/nodes')).toEqual([
		{ severity: 'warning', pointer: '/nodes/a', message: 'm', span, fix: { ...fix, pointer: '/nodes/b' } }
	]);
});

it('faultsOf finds the fields that a refusal names, each with its first fault', () => {
	const errors = [
		{ pointer: '/input/size/0/x', message: 'is no number' },
		{ pointer: '/input/size/1', message: 'is too big' },
		{ pointer: '/input', message: 'is too short' },
		{ pointer: '/inputs/size', message: 'is a namesake' }
	];
	expect(faultsOf(new ProblemError({ ...body, errors }), 'input')).toEqual({ size: '0.x: is no number', '': 'is too short' });
});

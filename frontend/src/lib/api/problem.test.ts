import { describe, expect, it } from 'vitest';
import { fieldErrors, ProblemError, toProblemError, toProblems, problemsOfError } from './problem.ts';

const body = { type: 'about:blank', title: 'Conflict', status: 409, code: 'conflict', detail: 'node `n` uses it' };

describe('toProblemError', () => {
	it('keeps the message of the server', () => {
		const problem = toProblemError(body);
		expect([problem.status, problem.message, problem.body.code]).toEqual([409, 'node `n` uses it', 'conflict']);
		expect(toProblemError(problem)).toBe(problem);
	});
	it("reports that the server can't be reached", () => {
		expect(toProblemError(new TypeError('Failed to fetch'))).toMatchObject({ status: 0, body: { code: 'unreachable' } });
	});
	it('reports a response without a problem body', () => {
		const problem = toProblemError('<html>', new Response('<html>', { status: 502, statusText: 'Bad Gateway' }));
		expect([problem.status, problem.message]).toEqual([502, 'the server returned status 502 without details']);
	});
});

describe('problemsOfError', () => {
	it('returns errors unchanged and diagnostics under the prefix', () => {
		const error = new ProblemError({
			...body,
			errors: [{ pointer: '/name', message: 'is empty', help: 'give it a name' }],
			diagnostics: [{ code: 'unknown-node', severity: 'error', pointer: '/value', message: 'no node `x`' }]
		});
		expect(problemsOfError(error, '/nodes').map(({ pointer, message }) => [pointer, message])).toEqual([
			['/name', 'is empty: give it a name'],
			['/nodes/value', 'no node `x`']
		]);
	});
	it('returns nothing without an error', () => expect(problemsOfError(null, '')).toEqual([]));
});

it('toProblems keeps severity and span, and moves the fix too', () => {
	const span = { line: 1, column: 4 };
	const fix = { label: 'rename', pointer: '/b', value: 1 };
	expect(toProblems([{ code: 'x', severity: 'warning', pointer: '/a', message: 'm', span, fix }], '/nodes')).toEqual([
		{ code: 'x', severity: 'warning', pointer: '/nodes/a', message: 'm', span, fix: { ...fix, pointer: '/nodes/b' } }
	]);
});

it('fieldErrors returns the first error of each field', () => {
	const errors = [
		{ pointer: '/input/size/0/x', message: 'is no number' },
		{ pointer: '/input/size/1', message: 'is too big' },
		{ pointer: '/input', message: 'is too short' },
		{ pointer: '/inputs/size', message: 'is a namesake' }
	];
	expect(fieldErrors(new ProblemError({ ...body, errors }), 'input')).toEqual({ size: '0.x: is no number', '': 'is too short' });
});

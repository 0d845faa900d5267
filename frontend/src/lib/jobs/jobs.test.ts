import { describe, expect, it } from 'vitest';
import type { Step } from '#lib/api/types.ts';
import { nestingDepth, describeActivity, formatError, mergeSteps, describeReuse, findReuse, formatLocation, parseExcerpt, formatRequiredApprovals } from './jobs.ts';

function step(part: Partial<Step>): Step {
	return {
		id: 'a',
		ordinal: 1,
		path: '',
		status: 'running',
		attempt: 1,
		started_at: '2026-03-10T12:00:00Z',
		finished_at: null,
		retry_at: null,
		input: null,
		output: null,
		error: null,
		progress: null,
		queue_position: null,
		preview: null,
		log_bytes: 0,
		provider_id: null,
		artifacts: [],
		approval: null,
		cost: null,
		fallback: null,
		...part
	};
}

function gate(required: number) {
	return { required, given: 0, remaining: required, until: '2026-03-10T12:30:00Z', urls: [] };
}

describe('formatError', () => {
	it.each([
		[null, ''],
		[{ name: 'moderated', message: 'the provider refused' }, 'moderated: the provider refused'],
		[{ name: 'Error', message: 'plain' }, 'plain'],
		[{ message: 'only' }, 'only'],
		[{ code: 3 }, '{"code":3}']
	])('of %j', (error, text) => expect(formatError(error)).toBe(text));
});

describe('formatLocation and nestingDepth', () => {
	it.each([
		['', '', 0],
		['loop[2]', 'loop #3', 1],
		['loop[0]/choice[1]', 'loop #1 › choice #2', 2]
	])('of %j', (path, words, levels) => {
		expect(formatLocation({ path })).toBe(words);
		expect(nestingDepth({ path })).toBe(levels);
	});
});

describe('describeActivity', () => {
	const now = Date.parse('2026-03-10T12:00:00Z');
	it.each([
		[step({}), ''],
		[step({ progress: 0.421 }), '42 %'],
		[step({ queue_position: 3 }), "position 3 in the provider's queue"],
		[step({ attempt: 2, progress: 0 }), 'attempt 2 · 0 %'],
		[step({ status: 'completed', progress: 0.5, attempt: 3 }), 'attempt 3'],
		[step({ status: 'retrying', attempt: 1, retry_at: '2026-03-10T12:00:09.500Z' }), 'next attempt in 10 s'],
		[step({ status: 'retrying', attempt: 1, retry_at: '2026-03-10T11:59:59Z' }), 'next attempt is due'],
		[step({ status: 'suspended', attempt: 0, approval: gate(1) }), 'waiting for an approval'],
		[step({ status: 'suspended', attempt: 0, approval: gate(3) }), 'waiting for 3 approvals'],
		[step({ status: 'failed', approval: gate(1) }), '']
	])('case %#', (given, words) => expect(describeActivity(given, now)).toBe(words));
});

it('mergeSteps prefers the first page and keeps the order', () => {
	const joined = mergeSteps([step({ ordinal: 4, status: 'completed' })], [step({ ordinal: 9 }), step({ ordinal: 4 })]);
	expect(joined.map(({ ordinal, status }) => `${ordinal}:${status}`)).toEqual(['4:completed', '9:running']);
});

it.each([
	[{ status: 200, excerpt: '{"output": ["a"]}' }, { status: 200, excerpt: { output: ['a'] } }],
	[{ status: 200, excerpt: '{"output": ["a' }, { status: 200, excerpt: '{"output": ["a' }],
	[{ error: 'reset' }, { error: 'reset' }]
])('readable makes %j legible', (reply, expected) => expect(parseExcerpt(reply)).toEqual(expected));

it('formatRequiredApprovals counts', () => expect([formatRequiredApprovals({ required: 1 }), formatRequiredApprovals({ required: 2 })]).toEqual(['an approval', '2 approvals']));

describe('findReuse', () => {
	const steps = [
		step({ ordinal: 2, id: 'a' }),
		step({ ordinal: 3, id: 'loop' }),
		step({ ordinal: 5, id: 'draw', path: 'loop[0]' }),
		step({ ordinal: 6, id: 'draw', path: 'loop[1]' }),
		step({ ordinal: 8, id: 'z' })
	];
	const kept = (ordinal: number, all = steps) => findReuse(all, all.find((each) => each.ordinal === ordinal)!)?.count;

	it.each([
		[2, 0],
		[3, 1],
		[8, 4]
	])('before step %d are %d', (ordinal, count) => expect(kept(ordinal)).toBe(count));
	it('does not guess inside a loop', () => expect(kept(6)).toBeUndefined());
	it('adds up what the reused steps cost', () => {
		const cost = (USD: string) => ({ amounts: { USD }, unknown: 0 });
		const paid = [step({ ordinal: 1, id: 'a', cost: cost('0.1') }), step({ ordinal: 2, id: 'b', cost: cost('0.2') }), step({ ordinal: 3, id: 'c' })];
		expect(findReuse(paid, paid[2]!)).toEqual({ count: 2, cost: '$0.30' });
	});
	it('counts the steps of a retried loop once', () => {
		const again = [...steps.slice(0, 4), step({ ordinal: 7, id: 'draw', path: 'loop[0]' }), steps[4]!];
		expect(kept(8, again)).toBe(4);
	});
});

it.each([
	[undefined, 'Reuses the results of earlier steps.'],
	[{ count: 0, cost: '' }, 'Runs all steps again.'],
	[{ count: 1, cost: '' }, 'Reuses the result of 1 earlier step. Runs this step and those after it again.'],
	[{ count: 4, cost: '$0.3' }, 'Reuses the results of 4 earlier steps ($0.3). Runs this step and those after it again.']
])('keeping %j says so', (kept, words) => expect(describeReuse(kept)).toBe(words));

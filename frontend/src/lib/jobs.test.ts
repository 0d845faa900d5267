import { describe, expect, it } from 'vitest';
import type { Step } from '#lib/api/types.ts';
import { depth, doing, errorText, joinSteps, place, readable } from './jobs.ts';

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
		provider_id: null,
		...part
	};
}

describe('errorText', () => {
	it.each([
		[null, ''],
		[{ name: 'moderated', message: 'the provider refused' }, 'moderated: the provider refused'],
		[{ name: 'Error', message: 'plain' }, 'plain'],
		[{ message: 'only' }, 'only'],
		[{ code: 3 }, '{"code":3}']
	])('of %j', (error, text) => expect(errorText(error)).toBe(text));
});

describe('place and depth', () => {
	it.each([
		['', '', 0],
		['loop[2]', 'loop #3', 1],
		['loop[0]/choice[1]', 'loop #1 › choice #2', 2]
	])('of %j', (path, words, levels) => {
		expect(place({ path })).toBe(words);
		expect(depth({ path })).toBe(levels);
	});
});

describe('doing', () => {
	const now = Date.parse('2026-03-10T12:00:00Z');
	it.each([
		[step({}), ''],
		[step({ progress: 0.421 }), '42 %'],
		[step({ attempt: 2, progress: 0 }), 'attempt 2 · 0 %'],
		[step({ status: 'completed', progress: 0.5, attempt: 3 }), 'attempt 3'],
		[step({ status: 'retrying', attempt: 1, retry_at: '2026-03-10T12:00:09.500Z' }), 'next attempt in 10 s'],
		[step({ status: 'retrying', attempt: 1, retry_at: '2026-03-10T11:59:59Z' }), 'next attempt is due']
	])('case %#', (given, words) => expect(doing(given, now)).toBe(words));
});

it('joinSteps takes the first page for the newer truth and keeps the order', () => {
	const joined = joinSteps([step({ ordinal: 4, status: 'completed' })], [step({ ordinal: 9 }), step({ ordinal: 4 })]);
	expect(joined.map(({ ordinal, status }) => `${ordinal}:${status}`)).toEqual(['4:completed', '9:running']);
});

it.each([
	[{ status: 200, excerpt: '{"output": ["a"]}' }, { status: 200, excerpt: { output: ['a'] } }],
	[{ status: 200, excerpt: '{"output": ["a' }, { status: 200, excerpt: '{"output": ["a' }],
	[{ error: 'reset' }, { error: 'reset' }]
])('readable makes %j legible', (reply, expected) => expect(readable(reply)).toEqual(expected));

import { expect, it } from 'vitest';
import type { Step } from '#lib/api/types.ts';
import { changedValues, pairPictures, pairSteps, tookMs } from './compare-runs.ts';

it.each([
	[{ a: 1, b: { x: 1, y: 2 } }, { b: { y: 2, x: 1 }, a: 1 }, []],
	[{ a: 1 }, { a: 2, c: null }, [{ name: 'a', before: 1, after: 2 }, { name: 'c', before: undefined, after: null }]],
	[[1], [2], [{ name: '', before: [1], after: [2] }]],
	[null, null, []]
])('finds what differs between %j and %j', (before, after, expected) => expect(changedValues(before, after)).toEqual(expected));

it('joins steps by place, with the last run of each', () => {
	const step = (id: string, ordinal: number, path = '') => ({ id, ordinal, path }) as Step;
	const pairs = pairSteps([step('a', 1), step('a', 2), step('b', 3, 'each[0]')], [step('b', 1, 'each[0]'), step('c', 2)]);
	expect(pairs.map(({ name, before, after }) => [name, before?.ordinal, after?.ordinal])).toEqual([
		['a', 2, undefined],
		['b, each #1', 3, 1],
		['c', undefined, 2]
	]);
});

it('joins pictures in the same place', () => {
	const output = (name: string) => ({ output: { best: `https://a.example/${name}.png`, film: 'https://a.example/x.mp4' } });
	expect(pairPictures(output('1'), output('2'), 'http://localhost').map(({ label, before, after }) => [label, before.url.at(-5), after.url.at(-5)])).toEqual([['best', '1', '2']]);
});

it('measures only what has ended', () => {
	expect(tookMs({ started_at: '2026-01-01T00:00:00Z', finished_at: '2026-01-01T00:00:02Z' })).toBe(2000);
	expect(tookMs({ started_at: '2026-01-01T00:00:00Z', finished_at: null })).toBeNull();
});

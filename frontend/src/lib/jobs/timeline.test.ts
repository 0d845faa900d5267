import { expect, it } from 'vitest';
import type { Step } from '#lib/api/types.ts';
import { axisMarks, toTimeline } from './timeline.ts';

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
const step = (from: number, to: number | null): Step => ({ started_at: at(from), finished_at: to === null ? null : at(to) }) as Step;

it('toTimeline places steps between the start and the end of the job', () => {
	const { bars, lengthMs } = toTimeline([step(1, 3), step(3, 5)], at(0), at(10), 0);
	expect(lengthMs).toBe(10_000);
	expect(bars.map(({ start, width, isOpen }) => [start, width, isOpen])).toEqual([
		[0.1, 0.2, false],
		[0.3, 0.2, false]
	]);
});

it('a running step reaches to now', () => {
	const { bars } = toTimeline([step(0, null)], at(0), null, Date.parse(at(4)));
	expect([bars[0]?.width, bars[0]?.isOpen]).toEqual([1, true]);
});

it('a job without steps has an empty timeline', () => expect(toTimeline([], null, null, 5)).toEqual({ bars: [], lengthMs: 1 }));

it.each([
	[950, [0, 200, 400, 600, 800]],
	[5000, [0, 1000, 2000, 3000, 4000, 5000]],
	[86_400_000 * 3, [0, 86_400_000, 86_400_000 * 2, 86_400_000 * 3]]
])('axisMarks(%d)', (length, marks) => expect(axisMarks(length)).toEqual(marks));

import type { Step } from '#lib/api/types.ts';

/** One bar of a job's timeline. */
export interface TimelineBar {
	step: Step;
	/** Start and width, as shares of the whole time from 0 to 1. */
	start: number;
	width: number;
	/** Whether the step has not ended. */
	isOpen: boolean;
}

/** The timeline of a job. */
export interface Timeline {
	bars: TimelineBar[];
	/** Length of the whole time, in milliseconds. */
	lengthMs: number;
}

/** Places the steps of a job on a common time axis, from its start to its end, or to `now` if it has not ended. */
export function toTimeline(steps: readonly Step[], start: string | null | undefined, end: string | null | undefined, now: number): Timeline {
	const begins = steps.map(({ started_at }) => Date.parse(started_at));
	const first = Math.min(start ? Date.parse(start) : Infinity, ...begins);
	const last = Math.max(end ? Date.parse(end) : now, ...steps.map(({ finished_at }) => (finished_at ? Date.parse(finished_at) : 0)));
	const lengthMs = Number.isFinite(first) ? Math.max(1, last - first) : 1;
	const bars = steps.map((step): TimelineBar => {
		const from = Date.parse(step.started_at);
		const isOpen = step.finished_at === null || step.status === 'suspended';
		const to = step.finished_at && !isOpen ? Date.parse(step.finished_at) : last;
		return { step, start: (from - first) / lengthMs, width: Math.max(0, to - from) / lengthMs, isOpen };
	});
	return { bars, lengthMs };
}

/** Round times for the marks of an axis, in milliseconds from its start. At most six. */
export function axisMarks(lengthMs: number): number[] {
	const SIZES = [1, 2, 5].flatMap((digit) => [0, 1, 2].map((power) => digit * 100 * 10 ** power)).concat([60_000, 300_000, 900_000, 3_600_000, 14_400_000, 86_400_000]);
	const size = SIZES.sort((one, other) => one - other).find((candidate) => lengthMs / candidate <= 6) ?? lengthMs;
	const marks: number[] = [];
	for (let mark = 0; mark <= lengthMs && marks.length < 7; mark += size) marks.push(mark);
	return marks;
}

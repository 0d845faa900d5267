import { expect, it } from 'vitest';
import type { DryRunReport, Job, Step } from '#lib/api/types.ts';
import { mostUrgentRun, stepsOfDryRun, toCardRuns, toLastRun } from './run-states.ts';

const step = (id: string, fields: Partial<Step>): Step =>
	({ id, path: '', status: 'completed', started_at: '2026-01-01T00:00:01Z', finished_at: '2026-01-01T00:00:02Z', attempt: 1, progress: null, queue_position: null, preview: null, output: null, ...fields }) as Step;

it('sums up the iterations of a loop', () => {
	const runs = toCardRuns(
		[
			step('a', { path: 'l[0]', output: { image: 'https://x/1.png' } }),
			step('a', { path: 'l[1]', status: 'failed', started_at: '2026-01-01T00:00:00Z' }),
			step('a', { path: 'l[2]', status: 'running', finished_at: null, progress: 0.5, queue_position: 3 })
		],
		'http://localhost'
	);
	expect(runs.get('a')).toMatchObject({ status: 'running', startedAt: '2026-01-01T00:00:00Z', finishedAt: null, progress: 0.5, queuePosition: 3, count: 3, failed: 1, media: { url: 'https://x/1.png' } });
});

it('counts a place once, with its last run', () => {
	const runs = toCardRuns([step('a', { path: 'l[0]', status: 'failed' }), step('a', { path: 'l[0]' })], 'http://localhost');
	expect(runs.get('a')).toMatchObject({ status: 'completed', count: 1, failed: 0, media: null });
});

it('toLastRun keeps results of steps that ended well', () => {
	const { input, results } = toLastRun({ input: { x: 1 } } as unknown as Job, [step('a', { output: 1 }), step('b', { status: 'failed', output: 2 })]);
	expect([input, [...results]]).toEqual([{ x: 1 }, [['a', 1]]]);
});

it('a dry run is shown like a run, without its made-up files', () => {
	const output = { image: 'https://example.com/n/image.png' };
	const report = { steps: [{ id: 'a', path: '', status: 'completed', attempt: 1, output, started_ms: 0, finished_ms: 1500 }] } as unknown as DryRunReport;
	expect(toCardRuns(stepsOfDryRun(report), 'http://localhost').get('a')).toMatchObject({ status: 'completed', startedAt: '1970-01-01T00:00:00.000Z', finishedAt: '1970-01-01T00:00:01.500Z', media: null });
});

it('a running step shows the preview of its provider', () => {
	const runs = toCardRuns([step('a', { status: 'running', finished_at: null, preview: 'https://x/half.png' })], 'http://localhost');
	expect(runs.get('a')?.media?.url).toBe('https://x/half.png');
});

it('a step that waits for approval is not over, and a skipped one has no file of its own', () => {
	const runs = toCardRuns([step('a', { status: 'suspended', output: 'https://x/1.png' }), step('b', { status: 'skipped', output: 'https://x/1.png' })], 'http://localhost');
	expect(runs.get('a')).toMatchObject({ finishedAt: null, media: { url: 'https://x/1.png' } });
	expect(runs.get('b')).toMatchObject({ media: null });
});

it('a card that hides steps shows the most urgent of their states', () => {
	const runs = toCardRuns([step('a', {}), step('b', { status: 'failed' }), step('c', { status: 'skipped' })], 'http://localhost');
	expect(mostUrgentRun(['a', 'b', 'c', 'd'].map((id) => runs.get(id)))?.status).toBe('failed');
	expect(mostUrgentRun([undefined])).toBeUndefined();
});

import { expect, it } from 'vitest';
import type { Step } from '#lib/api/types.ts';
import { JobStepPages, type StepPage } from './job-step-pages.ts';

const step = (ordinal: number, status: Step['status'] = 'completed') => ({ ordinal, status }) as Step;

it('reads all pages, and again only those that can change', async () => {
	const pages: Record<string, StepPage> = { a: { items: [step(1), step(2)], next: 'b' }, b: { items: [step(3), step(4, 'running')], next: 'c' }, c: { items: [step(5)] } };
	const asked: string[] = [];
	const reader = new JobStepPages((cursor) => {
		asked.push(cursor);
		return Promise.resolve(pages[cursor]!);
	});
	expect((await reader.update('a')).steps.map(({ ordinal }) => ordinal)).toEqual([1, 2, 3, 4, 5]);
	pages.b = { items: [step(3), step(4)], next: 'c' };
	expect((await reader.update('a')).steps[3]!.status).toBe('completed');
	await reader.update('a');
	expect(asked.join('')).toBe('abcbcc');
	expect(await reader.update(null)).toEqual({ steps: [], isCut: false });
});

it('reads once more if the job changed meanwhile, and not for each change', async () => {
	const waiting: ((page: StepPage) => void)[] = [];
	const reader = new JobStepPages(() => new Promise((resolve) => waiting.push(resolve)));
	const passed: number[] = [];
	const pass = ({ steps }: { steps: Step[] }) => passed.push(steps.length);
	const first = reader.refresh('a', pass);
	await Promise.all([reader.refresh('a', pass), reader.refresh('a', pass)]);
	expect(waiting).toHaveLength(1);
	waiting[0]!({ items: [step(1)] });
	await Promise.resolve();
	await expect.poll(() => waiting.length).toBe(2);
	waiting[1]!({ items: [step(1), step(2)] });
	await first;
	expect(passed).toEqual([1, 2]);
});

it('stops at a limit', async () => {
	const reader = new JobStepPages((cursor) => Promise.resolve({ items: [step(Number(cursor), 'running')], next: String(Number(cursor) + 1) }));
	const { steps, isCut } = await reader.update('1');
	expect([steps.length, isCut]).toEqual([20, true]);
});

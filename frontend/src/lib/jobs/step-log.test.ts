import { describe, expect, it } from 'vitest';
import { findLines, StepLogText, type LogPart } from './step-log.svelte.ts';

describe('StepLogText', () => {
	it('reads only what was added', async () => {
		const asked: number[] = [];
		let whole = 'one\n';
		const log = new StepLogText((offset) => {
			asked.push(offset);
			return Promise.resolve({ attempt: 1, offset, total_bytes: whole.length, text: whole.slice(offset) });
		});
		await log.update();
		whole += 'two\n';
		await Promise.all([log.update(), log.update()]);
		expect([log.text, asked, log.isCut]).toEqual(['one\ntwo\n', [0, 4, 8], false]);
	});
	it('begins anew with another attempt, and says if the beginning is missing', async () => {
		const parts: LogPart[] = [
			{ attempt: 1, offset: 0, total_bytes: 5, text: 'first' },
			{ attempt: 2, offset: 5, total_bytes: 9, text: 'cond' },
			{ attempt: 2, offset: 2, total_bytes: 9, text: 'second!' }
		];
		const log = new StepLogText(() => Promise.resolve(parts.shift()!));
		await log.update();
		await log.update();
		expect([log.text, log.isCut]).toEqual(['second!', true]);
	});
});

it('findLines searches without case', () => {
	expect(findLines('Step 1\nerror\nstep 2\n', 'STEP')).toEqual([
		{ number: 1, text: 'Step 1' },
		{ number: 3, text: 'step 2' }
	]);
	expect(findLines('a\n', '')).toHaveLength(1);
});

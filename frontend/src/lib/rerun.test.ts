import { describe, expect, it, vi } from 'vitest';
import { ProblemError } from '#lib/api/problem.ts';
import type { Job, RerunRequest } from '#lib/api/types.ts';
import { Rerun } from './rerun.svelte.ts';

function refusal(code: string): ProblemError {
	return new ProblemError({ type: 'about:blank', title: 'Conflict', status: 409, code, detail: 'it may be paid twice' });
}

/** A server that has run the job and will send a call of unknown fate only when told to. */
function server(code = 'confirm_unknown') {
	const asked: RerunRequest[] = [];
	const rerun = new Rerun((request) => {
		asked.push(request);
		return request.confirm_unknown ? Promise.resolve({ id: 'new' } as Job) : Promise.reject(refusal(code));
	});
	return { rerun, asked };
}

async function doubted(request: RerunRequest) {
	const { rerun, asked } = server();
	const started = rerun.start(request);
	await vi.waitFor(() => expect(rerun.doubt?.message).toBe('it may be paid twice'));
	return { rerun, asked, started };
}

describe('Rerun', () => {
	it('sends the same again with the word of the person', async () => {
		const { rerun, asked, started } = await doubted({ from: '3', input: { a: 1 } });
		rerun.decide(true);
		expect(await started).toMatchObject({ id: 'new' });
		expect(asked).toEqual([
			{ from: '3', input: { a: 1 } },
			{ from: '3', input: { a: 1 }, confirm_unknown: true }
		]);
		expect(rerun.doubt).toBeNull();
	});

	it('sends nothing more where the person decides against it', async () => {
		const { rerun, asked, started } = await doubted({});
		rerun.decide(false);
		expect([await started, rerun.doubt, asked]).toEqual([null, null, [{}]]);
	});

	it('drops a question for the next one', async () => {
		const { rerun, asked, started } = await doubted({ from: '1' });
		const second = rerun.start({ from: '2' });
		expect(await started).toBeNull();
		await vi.waitFor(() => expect(rerun.doubt).not.toBeNull());
		rerun.decide(true);
		expect(await second).toMatchObject({ id: 'new' });
		expect(asked.at(-1)).toEqual({ from: '2', confirm_unknown: true });
	});

	it('hands any other refusal on', async () => {
		const { rerun } = server('active');
		await expect(rerun.start({})).rejects.toMatchObject({ body: { code: 'active' } });
		expect(rerun.doubt).toBeNull();
	});
});

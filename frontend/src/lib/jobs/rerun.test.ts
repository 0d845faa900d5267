import { describe, expect, it, vi } from 'vitest';
import { ProblemError } from '#lib/api/problem.ts';
import type { Job, RerunRequest } from '#lib/api/types.ts';
import { Rerun } from './rerun.svelte.ts';

function refusal(code: string): ProblemError {
	return new ProblemError({ type: 'about:blank', title: 'Conflict', status: 409, code, detail: 'it may be paid twice' });
}

/** A fake server that requires confirmation for a call with an unknown outcome. */
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
	await vi.waitFor(() => expect(rerun.pendingConfirmation?.message).toBe('it may be paid twice'));
	return { rerun, asked, started };
}

describe('Rerun', () => {
	it('sends the same request again after confirmation', async () => {
		const { rerun, asked, started } = await doubted({ from: '3', input: { a: 1 } });
		rerun.confirm(true);
		expect(await started).toMatchObject({ id: 'new' });
		expect(asked).toEqual([
			{ from: '3', input: { a: 1 } },
			{ from: '3', input: { a: 1 }, confirm_unknown: true }
		]);
		expect(rerun.pendingConfirmation).toBeNull();
	});

	it('sends nothing more if the user cancels', async () => {
		const { rerun, asked, started } = await doubted({});
		rerun.confirm(false);
		expect([await started, rerun.pendingConfirmation, asked]).toEqual([null, null, [{}]]);
	});

	it('replaces an open confirmation with the next one', async () => {
		const { rerun, asked, started } = await doubted({ from: '1' });
		const second = rerun.start({ from: '2' });
		expect(await started).toBeNull();
		await vi.waitFor(() => expect(rerun.pendingConfirmation).not.toBeNull());
		rerun.confirm(true);
		expect(await second).toMatchObject({ id: 'new' });
		expect(asked.at(-1)).toEqual({ from: '2', confirm_unknown: true });
	});

	it('passes on any other error', async () => {
		const { rerun } = server('active');
		await expect(rerun.start({})).rejects.toMatchObject({ body: { code: 'active' } });
		expect(rerun.pendingConfirmation).toBeNull();
	});
});

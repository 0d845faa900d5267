import { describe, expect, it } from 'vitest';
import { DryRuns, type DryRunAnswer, type DryRunTask, type DryRunWorker } from './dry-run.ts';

const request = { document: { value: { modules: [] } }, catalog: { connectors: {}, nodes: {}, workflows: {} }, input: {} };

/** A fake worker that answers with a function. Without a result it never answers. */
class Answering implements DryRunWorker {
	onmessage: ((event: MessageEvent<DryRunAnswer>) => void) | null = null;
	onerror: ((event: ErrorEvent) => void) | null = null;
	terminated = false;

	constructor(readonly answer: (task: DryRunTask) => DryRunAnswer | undefined) {}

	postMessage(task: DryRunTask) {
		const data = this.answer(task);
		if (data) queueMicrotask(() => this.onmessage?.({ data } as MessageEvent<DryRunAnswer>));
	}

	terminate() {
		this.terminated = true;
	}
}

/** Dry runs whose workers answer with these functions in turn. */
function runs(...answers: ((task: DryRunTask) => DryRunAnswer | undefined)[]) {
	const workers: Answering[] = [];
	const start = () => {
		const worker = new Answering(answers[workers.length] ?? (() => undefined));
		workers.push(worker);
		return worker;
	};
	return { dryRuns: new DryRuns(start, 20), workers };
}

const report = (status: string) => ({ text: JSON.stringify({ report: { status } }) });

describe('DryRuns', () => {
	it('starts its worker on first use and keeps it', async () => {
		const { dryRuns, workers } = runs(() => report('completed'));
		expect(workers).toHaveLength(0);
		expect(await dryRuns.run(request)).toEqual({ report: { status: 'completed' } });
		await dryRuns.run(request);
		expect(workers).toHaveLength(1);
	});

	it('passes everything on as JSON strings', async () => {
		const tasks: DryRunTask[] = [];
		const { dryRuns } = runs((task) => (tasks.push(task), report('completed')));
		await dryRuns.run({ ...request, input: { x: 1 }, mocks: { a: 1 }, approvals: { b: [] }, until: 'c' });
		const texts = tasks[0]?.texts.map((text) => JSON.parse(text) as unknown);
		expect(texts).toEqual([request.document, request.catalog, { x: 1 }, { a: 1 }, { approvals: { b: [] }, until: 'c' }]);
	});

	it('returns a diagnostic after a trap and uses a new worker for the next call', async () => {
		const { dryRuns, workers } = runs(
			() => ({ failure: 'unreachable' }),
			() => report('failed')
		);
		expect(await dryRuns.run(request)).toMatchObject({
			diagnostics: [{ code: 'core-failed', severity: 'error', message: 'the dry run failed in this browser (unreachable)' }]
		});
		expect(workers[0]?.terminated).toBe(true);
		expect(await dryRuns.run(request)).toEqual({ report: { status: 'failed' } });
	});

	it('stops an endless run', async () => {
		const { dryRuns, workers } = runs(
			() => undefined,
			() => report('completed')
		);
		const [endless, next] = await Promise.all([dryRuns.run(request), dryRuns.run(request)]);
		expect(endless).toMatchObject({ diagnostics: [{ message: 'the dry run failed in this browser (it took longer than 0.02 s)' }] });
		expect(workers[0]?.terminated).toBe(true);
		expect(next).toEqual({ report: { status: 'completed' } });
	});

	it('reports why no worker could be started', async () => {
		const dryRuns = new DryRuns(() => {
			throw new Error('no workers here');
		});
		expect(await dryRuns.run(request)).toMatchObject({ diagnostics: [{ message: expect.stringContaining('no workers here') as string }] });
	});
});

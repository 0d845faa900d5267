import type { DryRunReport, Job, Step, StepStatus } from '#lib/api/types.ts';
import { findMedia } from '#lib/media/media.ts';
import type { LastRun } from '#lib/workflow/scope.ts';
import type { CardRun, IdleState } from './graph-context.ts';

/** Which status a card shows if its step ran several times: the most urgent one. */
const URGENCY = ['suspended', 'retrying', 'running', 'failed', 'cancelled', 'completed', 'skipped', 'waiting', 'not_run'] as const satisfies readonly (StepStatus | IdleState)[];

/** The parts of a step that its card shows. */
export type ShownStep = Pick<Step, 'id' | 'path' | 'status' | 'started_at' | 'finished_at' | 'progress' | 'queue_position' | 'preview' | 'attempt' | 'output'>;

/** Steps of a dry run, whose times count from 1970. */
export function stepsOfDryRun(report: DryRunReport): ShownStep[] {
	const time = (ms: number) => new Date(ms).toISOString();
	return report.steps.map(({ id, path, status, attempt, started_ms, finished_ms }) => ({
		id,
		path,
		status,
		attempt,
		// Its files are made up: their links lead nowhere.
		output: null,
		progress: null,
		queue_position: null,
		preview: null,
		started_at: time(started_ms),
		finished_at: time(finished_ms ?? started_ms)
	}));
}

/** The most urgent of several states, for a card that hides steps; `undefined` if there is none. */
export function mostUrgentRun(runs: readonly (CardRun | undefined)[]): CardRun | undefined {
	const known = runs.filter((run) => run !== undefined);
	return URGENCY.flatMap((status) => known.find((run) => run.status === status) ?? [])[0];
}

/** State of each step of a run for its card, by step id. Steps in loops are summed up over all iterations. */
export function toCardRuns(steps: readonly ShownStep[], origin: string): Map<string, CardRun> {
	const byId = new Map<string, ShownStep[]>();
	for (const step of steps) {
		const known = byId.get(step.id);
		if (known) known.push(step);
		else byId.set(step.id, [step]);
	}
	return new Map([...byId].map(([id, runs]) => [id, toCardRun(latestOfEachPlace(runs), origin)]));
}

/** A retried loop starts its steps again; the last run in each place counts. */
function latestOfEachPlace(runs: readonly ShownStep[]): ShownStep[] {
	return [...new Map(runs.map((step) => [step.path, step])).values()];
}

function toCardRun(runs: readonly ShownStep[], origin: string): CardRun {
	const status = URGENCY.find((urgent): urgent is StepStatus => runs.some((step) => step.status === urgent)) ?? 'skipped';
	const main = runs.findLast((step) => step.status === status)!;
	const started = runs.map((step) => step.started_at).sort()[0] ?? null;
	// A step that waits for approval has its result already.
	const isOver = runs.every((step) => step.finished_at !== null && step.status !== 'suspended');
	// A skipped step passes on the result of the step before it.
	const results = runs.toReversed().map((step) => (step.status === 'skipped' ? undefined : findMedia(step.output ?? step.preview, origin, 1)[0]));
	return {
		status,
		startedAt: started,
		finishedAt: isOver ? (runs.flatMap((step) => step.finished_at ?? []).sort().at(-1) ?? null) : null,
		progress: main.progress,
		queuePosition: main.queue_position,
		attempt: main.attempt,
		count: runs.length,
		failed: runs.filter((step) => step.status === 'failed').length,
		media: results.find((media) => media !== undefined) ?? null
	};
}

/** Input and results of a run, for previews while expressions are written. */
export function toLastRun(job: Job, steps: readonly Step[]): LastRun {
	const results = new Map<string, unknown>();
	for (const step of steps) if (step.status === 'completed' || step.status === 'skipped') results.set(step.id, step.output);
	const input = typeof job.input === 'object' && job.input !== null ? (job.input as Record<string, unknown>) : {};
	return { input, results };
}

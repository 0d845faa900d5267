import type { Step } from '#lib/api/types.ts';
import { formatCost, sumCosts } from '#lib/format.ts';
import { placeOf } from '#lib/jobs/iterations.ts';
import { isObject } from '#lib/workflow/modules.ts';
import { valueAt } from '#lib/pointer.ts';

/** What a rerun does with a step at the top level of its workflow. */
export interface RerunStep {
	id: string;
	summary: string;
	/** Whether its result is reused, it runs, or only a part of what is inside it runs. */
	action: 'reused' | 'partly' | 'runs';
	/** What it cost in the job that is rerun; empty for nothing. */
	cost: string;
}

/** What a rerun does. */
export interface RerunSteps {
	steps: RerunStep[];
	/** What the reused results have cost, and what the other steps did; empty for nothing. */
	reusedCost: string;
	repeatedCost: string;
	/** Whether the workflow lacks the step from which on it is to be run. */
	isFromMissing: boolean;
}

type RanStep = Pick<Step, 'id' | 'path' | 'status' | 'cost'>;

/** Id of the module at the top level that a step is in, or is: `each` for `each[2]/draw`. */
export function topLevelOf(step: Pick<Step, 'id' | 'path'>): string {
	return /^[^/[]*/.exec(placeOf(step))![0];
}

/** Plans a rerun of a job with these documents and steps; `from` is the first step that runs again, all of them if there is none. */
export function planRerunSteps(document: unknown, ran: readonly RanStep[], from: Pick<Step, 'id' | 'path'> | undefined): RerunSteps {
	const modules = valueAt(document, '/value/modules');
	const named = Array.isArray(modules) ? modules.flatMap((module: unknown) => (isObject(module) && typeof module.id === 'string' ? [{ id: module.id, summary: typeof module.summary === 'string' ? module.summary : '' }] : [])) : [];
	// A retried module starts its steps again. Each counts once.
	const latest = [...new Map(ran.map((step) => [placeOf(step), step])).values()];
	const costOf = (ids: ReadonlySet<string>) => formatCost(sumCosts(latest.filter((step) => ids.has(topLevelOf(step))).map(({ cost }) => cost)));
	const start = from ? named.findIndex(({ id }) => id === topLevelOf(from)) : 0;
	const hasResult = (id: string) => latest.some((step) => step.path === '' && step.id === id && ['completed', 'skipped', 'failed', 'suspended'].includes(step.status));
	const steps = named.map(({ id, summary }, index): RerunStep => {
		const action = index < start && hasResult(id) ? 'reused' : index === start && from && from.path !== '' ? 'partly' : 'runs';
		return { id, summary, action, cost: costOf(new Set([id])) };
	});
	const idsOf = (isReused: boolean) => new Set(steps.filter(({ action }) => (action === 'reused') === isReused).map(({ id }) => id));
	return { steps, reusedCost: costOf(idsOf(true)), repeatedCost: costOf(idsOf(false)), isFromMissing: start < 0 };
}

import type { Approval, JobStatus, Step, StepStatus } from '#lib/api/types.ts';
import { formatCost, formatRemaining, plural, sumCosts } from '#lib/format.ts';

/** All job statuses, in lifecycle order. */
export const JOB_STATUSES: readonly JobStatus[] = ['pending', 'running', 'suspended', 'completed', 'failed', 'cancelled'];

/** Classes that fill a bar or mark of a step with the colour of its status. */
export const STATUS_FILLS: Record<StepStatus, string> = {
	running: 'bg-busy',
	retrying: 'bg-warn',
	suspended: 'bg-warn',
	completed: 'bg-ok',
	failed: 'bg-bad',
	skipped: 'bg-muted',
	cancelled: 'bg-muted'
};

/** Whether a job or step has not ended yet. */
export function isActive(status: JobStatus | StepStatus): boolean {
	switch (status) {
		case 'pending':
		case 'running':
		case 'retrying':
		case 'suspended':
			return true;
		case 'completed':
		case 'failed':
		case 'skipped':
		case 'cancelled':
			return false;
	}
}

/** When a step ended; null while it runs, or waits for approval with its result. */
export function endOf({ status, finished_at }: Pick<Step, 'status' | 'finished_at'>): string | null {
	return status === 'suspended' ? null : finished_at;
}

/** Formats an error of a job or step in one line: its message, prefixed by its name if that adds information. */
export function formatError(error: Record<string, unknown> | null | undefined): string {
	if (!error) return '';
	const message = typeof error.message === 'string' ? error.message : JSON.stringify(error);
	const name = typeof error.name === 'string' ? error.name : '';
	return name && name !== 'Error' && name !== 'cancelled' && !message.startsWith(name) ? `${name}: ${message}` : message;
}

/** Nesting depth of a step in loops and branches. */
export function nestingDepth(step: Pick<Step, 'path'>): number {
	return step.path === '' ? 0 : step.path.split('/').length;
}

/** Formats the position of a step in loops and branches: `loop #3 › choice #1`. */
export function formatLocation(step: Pick<Step, 'path'>): string {
	if (step.path === '') return '';
	return step.path
		.split('/')
		.map((segment) => {
			const found = /^(.*)\[(\d+)\]$/.exec(segment);
			return found ? `${found[1]} #${Number(found[2]) + 1}` : segment;
		})
		.join(' › ');
}

/** Formats the number of required approvals. */
export function formatRequiredApprovals({ required }: Pick<Approval, 'required'>): string {
	return required === 1 ? 'an approval' : plural(required, 'approval');
}

/** What a rerun from a step reuses: the number of earlier steps, and what they cost. */
export interface Reuse {
	count: number;
	cost: string;
}

/** What a rerun from this step reuses; `undefined` if the step is inside a loop or branch, because that depends on the document. */
export function findReuse(steps: readonly Step[], from: Step): Reuse | undefined {
	if (from.path !== '') return undefined;
	// A retried module starts its steps again. Count each of them once.
	const earlier = new Map(steps.filter(({ ordinal }) => ordinal < from.ordinal).map((step) => [`${step.path}/${step.id}`, step]));
	return { count: earlier.size, cost: formatCost(sumCosts([...earlier.values()].map(({ cost }) => cost))) };
}

/** Describes which steps a rerun from a step reuses, and which it runs again. */
export function describeReuse(reuse: Reuse | undefined): string {
	if (reuse === undefined) return 'Reuses the results of earlier steps.';
	const { count, cost } = reuse;
	if (count === 0) return 'Runs all steps again.';
	return `Reuses the ${count === 1 ? 'result' : 'results'} of ${plural(count, 'earlier step')}${cost ? ` (${cost})` : ''}. Runs this step and those after it again.`;
}

/** Describes the activity of a step beyond its status: attempt, queue, progress and next attempt. */
export function describeActivity(step: Step, now: number): string {
	const parts: string[] = [];
	if (step.attempt > 1) parts.push(`attempt ${step.attempt}`);
	if (step.status === 'running' && step.queue_position !== null) parts.push(`position ${step.queue_position} in the provider's queue`);
	if (step.status === 'running' && step.progress !== null) parts.push(`${Math.round(step.progress * 100)} %`);
	if (step.status === 'retrying' && step.retry_at) {
		const due = Date.parse(step.retry_at) <= now;
		parts.push(due ? 'next attempt is due' : `next attempt in ${formatRemaining(step.retry_at, now)}`);
	}
	if (step.status === 'suspended' && step.approval) parts.push(`waiting for ${formatRequiredApprovals(step.approval)}`);
	return parts.join(' · ');
}

/** Merges steps of several pages without duplicates, in the order in which they started. */
export function mergeSteps(first: readonly Step[], more: readonly Step[]): Step[] {
	const steps = new Map(more.map((step) => [step.ordinal, step]));
	for (const step of first) steps.set(step.ordinal, step);
	return [...steps.values()].sort((a, b) => a.ordinal - b.ordinal);
}

/** Returns a call's reply with its excerpt parsed as JSON if possible, so that users can see the paths for a mapping. */
export function parseExcerpt(reply: Record<string, unknown>): Record<string, unknown> {
	if (typeof reply.excerpt !== 'string') return reply;
	try {
		return { ...reply, excerpt: JSON.parse(reply.excerpt) as unknown };
	} catch {
		return reply;
	}
}

/** Whether it is unknown whether the provider accepted the work of a step. Source: `submit_unknown` in docs/operations.md. */
export function isFateUnknown({ error }: Pick<Step, 'error'>): boolean {
	return error?.name === 'submit_unknown';
}

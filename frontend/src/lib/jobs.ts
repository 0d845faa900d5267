import type { Approval, JobStatus, Step, StepStatus } from '#lib/api/types.ts';
import { plural, remaining } from '#lib/format.ts';

/** Every status of a job, in the order of a job's life. */
export const JOB_STATUSES: readonly JobStatus[] = ['pending', 'running', 'suspended', 'completed', 'failed', 'cancelled'];

/** Whether more may happen. */
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

/** An error object of a job or step in a line: its message, after its name where that says more. */
export function errorText(error: Record<string, unknown> | null | undefined): string {
	if (!error) return '';
	const message = typeof error.message === 'string' ? error.message : JSON.stringify(error);
	const name = typeof error.name === 'string' ? error.name : '';
	return name && name !== 'Error' && !message.startsWith(name) ? `${name}: ${message}` : message;
}

/** How deep a step lies in loops and branches. */
export function depth(step: Pick<Step, 'path'>): number {
	return step.path === '' ? 0 : step.path.split('/').length;
}

/** Where a step lies in loops and branches, for people: `loop, iteration 3 › choice, branch 1`. */
export function place(step: Pick<Step, 'path'>): string {
	if (step.path === '') return '';
	return step.path
		.split('/')
		.map((segment) => {
			const found = /^(.*)\[(\d+)\]$/.exec(segment);
			return found ? `${found[1]} #${Number(found[2]) + 1}` : segment;
		})
		.join(' › ');
}

/** How many approvals are wanted, for people. */
export function wanted({ required }: Pick<Approval, 'required'>): string {
	return required === 1 ? 'an approval' : plural(required, 'approval');
}

/**
 * How many steps a run from this step on would take over; `undefined` where only the document can tell, because the
 * step lies inside a loop or branch.
 */
export function keptBefore(steps: readonly Step[], from: Step): number | undefined {
	if (from.path !== '') return undefined;
	// A module that was tried again as a whole has begun its steps anew: each counts once.
	const earlier = steps.filter(({ ordinal }) => ordinal < from.ordinal).map(({ path, id }) => `${path}/${id}`);
	return new Set(earlier).size;
}

/** What a run from a step on takes over, for people; of `keptBefore`. */
export function keeping(kept: number | undefined): string {
	if (kept === undefined) return 'What came before it is kept.';
	if (kept === 0) return 'Nothing came before it: all steps are run.';
	return `${plural(kept, 'earlier step')} ${kept === 1 ? 'is' : 'are'} kept and not run again.`;
}

/** What a step is doing beside its status: its attempt, its progress and when it is tried again. */
export function doing(step: Step, now: number): string {
	const parts: string[] = [];
	if (step.attempt > 1) parts.push(`attempt ${step.attempt}`);
	if (step.status === 'running' && step.progress !== null) parts.push(`${Math.round(step.progress * 100)} %`);
	if (step.status === 'retrying' && step.retry_at) {
		const due = Date.parse(step.retry_at) <= now;
		parts.push(due ? 'next attempt is due' : `next attempt in ${remaining(step.retry_at, now)}`);
	}
	if (step.status === 'suspended' && step.approval) parts.push(`waits for ${wanted(step.approval)}`);
	return parts.join(' · ');
}

/** Steps of a first page and of later ones, each once, in the order in which they began. */
export function joinSteps(first: readonly Step[], more: readonly Step[]): Step[] {
	const steps = new Map(more.map((step) => [step.ordinal, step]));
	for (const step of first) steps.set(step.ordinal, step);
	return [...steps.values()].sort((a, b) => a.ordinal - b.ordinal);
}

/** A call's reply with its excerpt as JSON where it is some, so that the paths of a mapping can be read off it. */
export function readable(reply: Record<string, unknown>): Record<string, unknown> {
	if (typeof reply.excerpt !== 'string') return reply;
	try {
		return { ...reply, excerpt: JSON.parse(reply.excerpt) as unknown };
	} catch {
		return reply;
	}
}

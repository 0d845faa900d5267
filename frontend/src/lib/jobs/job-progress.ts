import type { JobStatus, Step } from '#lib/api/types.ts';
import { placeOf } from '#lib/jobs/iterations.ts';
import { isActive } from '#lib/jobs/jobs.ts';

/** How far a job is, in steps at the top level of its workflow. */
export interface JobProgress {
	done: number;
	total: number;
}

type ProgressStep = Pick<Step, 'id' | 'path' | 'status'>;

/** Counts the steps at the top level that have ended. `modules` are the ids of all of them. */
export function countProgress(modules: readonly string[], steps: readonly ProgressStep[]): JobProgress {
	const ended = new Set(steps.filter(({ path, status }) => path === '' && !isActive(status)).map(({ id }) => id));
	const open = steps.filter(({ path, status }) => path === '' && isActive(status)).map(({ id }) => id);
	return { done: modules.filter((id) => ended.has(id) && !open.includes(id)).length, total: modules.length };
}

/** Ids of the modules at the top level of a workflow. */
export function topLevelIds(document: unknown): string[] {
	const modules = (document as { value?: { modules?: unknown } } | undefined)?.value?.modules;
	if (!Array.isArray(modules)) return [];
	return modules.flatMap((module: unknown) => {
		const id = (module as { id?: unknown } | null)?.id;
		return typeof id === 'string' ? [id] : [];
	});
}

/** Title of a job's tab, with its state first: `▶ 3/5 Cartoon`, `✓ Cartoon`. */
export function tabTitle(name: string, status: JobStatus, { done, total }: JobProgress): string {
	switch (status) {
		case 'pending':
			return `… ${name}`;
		case 'running':
			return total > 1 ? `▶ ${done}/${total} ${name}` : `▶ ${name}`;
		case 'suspended':
			return `⏸ ${name}`;
		case 'completed':
			return `✓ ${name}`;
		case 'failed':
			return `✗ ${name}`;
		case 'cancelled':
			return `⊘ ${name}`;
	}
}

/** The steps that work at present: those without active steps inside them, the oldest first. */
export function workingSteps<T extends ProgressStep>(steps: readonly T[]): T[] {
	const active = steps.filter(({ status }) => isActive(status));
	const places = active.map(({ path }) => path);
	return active.filter(({ id, path }) => {
		const own = placeOf({ id, path });
		return !places.some((place) => place === own || place.startsWith(`${own}[`) || place.startsWith(`${own}/`));
	});
}

import type { CardRun, IdleState } from '#lib/graph/graph-context.ts';
import { isActive } from '#lib/jobs/jobs.ts';
import { childLists, isObject, moduleAt, type PlacedModule } from '#lib/workflow/modules.ts';
import { valueAt } from '#lib/pointer.ts';

/**
 * Adds what cards show of steps without a run: they wait as long as the job can still reach them, and otherwise are not
 * run, such as those of a branch that was not taken. `isRunning` is whether the document is still being run.
 */
export function addIdleSteps(runs: ReadonlyMap<string, CardRun>, document: unknown, isRunning: boolean): Map<string, CardRun> {
	const all = new Map(runs);
	const visitList = (list: string, state: IdleState) => {
		for (const placed of modulesIn(document, list)) visit(placed, state);
	};
	const visit = (placed: PlacedModule, state: IdleState) => {
		const id = placed.module.id;
		const run = id === undefined ? undefined : runs.get(id);
		if (!run && id !== undefined) all.set(id, idleRun(state));
		const lists = childLists(placed);
		if (!run || state === 'not_run') for (const list of lists) visitList(list, state);
		else {
			const taken = placed.module.value?.type === 'branchone' ? lists.filter((list) => hasRun(document, list, runs)) : [];
			for (const list of lists) visitList(list, isOpen(run) && (taken.length === 0 || taken.includes(list)) ? 'waiting' : 'not_run');
		}
	};
	visitList('/value/modules', isRunning ? 'waiting' : 'not_run');
	// Whether the preprocessor and the error handler run is not known before they do.
	if (!isRunning) {
		for (const pointer of ['/value/preprocessor_module', '/value/failure_module']) {
			const placed = moduleAt(document, pointer);
			if (placed) visit(placed, 'not_run');
		}
	}
	return all;
}

function modulesIn(document: unknown, list: string): PlacedModule[] {
	const modules = valueAt(document, list);
	return Array.isArray(modules) ? modules.flatMap((module: unknown, index) => (isObject(module) ? [{ pointer: `${list}/${index}`, module }] : [])) : [];
}

function hasRun(document: unknown, list: string, runs: ReadonlyMap<string, CardRun>): boolean {
	return modulesIn(document, list).some((placed) => (placed.module.id !== undefined && runs.has(placed.module.id)) || childLists(placed).some((inner) => hasRun(document, inner, runs)));
}

const isOpen = ({ status }: CardRun) => status !== 'waiting' && status !== 'not_run' && isActive(status);

const idleRun = (status: IdleState): CardRun => ({ status, startedAt: null, finishedAt: null, progress: null, queuePosition: null, attempt: 1, count: 0, failed: 0, media: null });

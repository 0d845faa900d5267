import type { Step } from '#lib/api/types.ts';
import { allModules, enclosingModules, moduleAt, visibleModules, type PlacedModule } from './modules.ts';

/** How a workflow is run from one of its steps on. */
export interface RerunPlan {
	/** Id of the step from which on everything runs: the step itself, or the loop around it. */
	from: string;
	/** Results of the last run that stand for the steps before it, by id. */
	reused: Record<string, unknown>;
	/** Ids of the steps before it that have no result, so that they run again. */
	missing: string[];
}

const isLoop = ({ module }: PlacedModule) => String(module.value?.type).endsWith('loopflow');
/** The steps in branches have results of their own. The branch itself is decided again. */
const isBranch = ({ module }: PlacedModule) => module.value?.type === 'branchone' || module.value?.type === 'branchall';

/** Plans a run from the step at a pointer of the OpenFlow document, with the results of an earlier run. */
export function planRerun(document: unknown, pointer: string, steps: readonly Step[]): RerunPlan {
	const loop = enclosingModules(document, pointer).findLast(isLoop);
	const start = loop ?? moduleAt(document, pointer);
	const results = new Map(steps.filter(({ status }) => status === 'completed' || status === 'skipped').map(({ id, output }) => [id, output]));
	const earlier = visibleModules(document, loop?.pointer ?? pointer).filter((placed) => !isBranch(placed));
	const named = earlier.flatMap(({ pointer: at, module: { id } }) => (id ? [{ id, at }] : []));
	const hasRun = (id: string) => steps.some((step) => step.id === id);
	// Steps of a branch that was not taken need no result.
	const isNeeded = (at: string) => !enclosingModules(document, at).some(isBranch);
	return {
		from: start?.module.id ?? '',
		reused: Object.fromEntries(named.flatMap(({ id }) => (results.has(id) ? [[id, results.get(id)]] : []))),
		missing: named.filter(({ id, at }) => !results.has(id) && (hasRun(id) || isNeeded(at))).map(({ id }) => id)
	};
}

/** Ids of the steps whose output is pinned, so that they are not run. */
export function pinnedSteps(document: unknown): string[] {
	return allModules(document).flatMap(({ module }) => {
		const mock = module.mock as { enabled?: unknown } | null | undefined;
		return mock?.enabled === true && module.id ? [module.id] : [];
	});
}

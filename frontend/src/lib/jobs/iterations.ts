import type { Step, StepStatus } from '#lib/api/types.ts';

/** All iterations of a loop in one place. */
export interface LoopRun {
	/** Path of the loop itself: empty at top level. */
	path: string;
	/** Id of the loop. */
	loop: string;
	/** Each iteration by its index, with its most urgent state. */
	iterations: { index: number; status: StepStatus }[];
}

const URGENCY: readonly StepStatus[] = ['suspended', 'failed', 'retrying', 'running', 'cancelled', 'completed', 'skipped'];

/** The loops of a run with the states of their iterations, in the order in which they began. `loops` are the ids of loops. */
export function listLoopRuns(steps: readonly Step[], loops: ReadonlySet<string>): LoopRun[] {
	const runs = new Map<string, LoopRun & { states: Map<number, StepStatus[]> }>();
	for (const step of steps) {
		const segments = step.path === '' ? [] : step.path.split('/');
		segments.forEach((segment, depth) => {
			const found = /^(.*)\[(\d+)\]$/.exec(segment);
			if (!found?.[1] || !loops.has(found[1])) return;
			const path = segments.slice(0, depth).join('/');
			const key = `${path}/${found[1]}`;
			const run = runs.get(key) ?? { path, loop: found[1], iterations: [], states: new Map<number, StepStatus[]>() };
			const index = Number(found[2]);
			const known = run.states.get(index);
			if (known) known.push(step.status);
			else run.states.set(index, [step.status]);
			runs.set(key, run);
		});
	}
	return [...runs.values()].map(({ states, path, loop }) => ({
		path,
		loop,
		iterations: [...states]
			.sort(([one], [other]) => one - other)
			.map(([index, statuses]) => ({ index, status: URGENCY.find((urgent) => statuses.includes(urgent)) ?? 'completed' }))
	}));
}

/** The steps of a run that are in the chosen iterations, and all steps outside of loops without a choice. */
export function filterByIteration(steps: readonly Step[], chosen: Readonly<Record<string, number>>): Step[] {
	return steps.filter((step) =>
		step.path.split('/').every((segment) => {
			const found = /^(.*)\[(\d+)\]$/.exec(segment);
			const wanted = found?.[1] === undefined ? undefined : chosen[found[1]];
			return wanted === undefined || wanted === Number(found?.[2]);
		})
	);
}

/** Path and id of a step: `each[1]/polish`. */
export function placeOf({ path, id }: Pick<Step, 'path' | 'id'>): string {
	return path === '' ? id : `${path}/${id}`;
}

import type { Step } from '#lib/api/types.ts';
import type { CardRun } from '#lib/graph/graph-context.ts';
import { addIdleSteps } from '#lib/jobs/idle-steps.ts';
import { isActive } from '#lib/jobs/jobs.ts';
import { allModules, subflowIdOf } from '#lib/workflow/modules.ts';

/** The documents of a job: its own, and those of its sub-flows by id of their workflow. */
export interface JobDocuments {
	document: unknown;
	workflows: Readonly<Record<string, unknown>>;
}

/** Finds the cards of a job's steps: the card of a step in a sub-flow has an id such as `step/inner`. */
export class StepsInGraph {
	readonly #documents: JobDocuments;
	/** Workflows of the steps that run one, by document and id of the step. */
	readonly #subflows = new Map<unknown, Map<string, string>>();

	constructor(documents: JobDocuments) {
		this.#documents = documents;
	}

	/** The id of a step's card. */
	cardOf({ path, id }: Pick<Step, 'path' | 'id'>): string {
		let [document, card] = [this.#documents.document, ''];
		for (const segment of path === '' ? [] : path.split('/')) {
			const step = segment.replace(/\[\d+\]$/, '');
			const workflow = this.#subflowsOf(document).get(step);
			if (workflow !== undefined) [document, card] = [this.#documents.workflows[workflow], `${card}${step}/`];
		}
		return card + id;
	}

	#subflowsOf(document: unknown): Map<string, string> {
		const known = this.#subflows.get(document);
		if (known) return known;
		const found = new Map(
			allModules(document).flatMap(({ module }): [string, string][] => {
				const workflow = subflowIdOf(module);
				return workflow !== null && module.id ? [[module.id, workflow]] : [];
			})
		);
		this.#subflows.set(document, found);
		return found;
	}
}

/** As `addIdleSteps`, also for the cards of opened sub-flows, whose documents are given by the ids of their cards, outer ones first. */
export function addIdleCards(runs: ReadonlyMap<string, CardRun>, document: unknown, subflows: ReadonlyMap<string, unknown>, isRunning: boolean): Map<string, CardRun> {
	const all = addIdleSteps(runs, document, isRunning);
	for (const [owner, subflow] of subflows) {
		const prefix = `${owner}/`;
		const status = all.get(owner)?.status;
		const inside = new Map([...runs].flatMap(([id, run]): [string, CardRun][] => (id.startsWith(prefix) ? [[id.slice(prefix.length), run]] : [])));
		const isReached = status === 'waiting' || (status !== undefined && status !== 'not_run' && isActive(status));
		for (const [id, run] of addIdleSteps(inside, subflow, isRunning && isReached)) all.set(prefix + id, run);
	}
	return all;
}

import type { Catalog, Core } from '#lib/core.ts';
import { toProblems } from '#lib/api/problem.ts';
import type { Layout } from '#lib/graph/flow.ts';
import type { Problem } from '#lib/problems.ts';
import { endTask, MAX_TASK_MS } from '#lib/tasks.ts';

/** From this length, a text is checked in a task of its own, after the change of it is shown. */
const LARGE_TEXT_LENGTH = 200_000;

/** Validation result and layout of the document being edited. */
export class WorkflowCheck {
	/** Problems, with JSON Pointers under `prefix`. */
	problems = $state.raw<Problem[]>([]);
	/** The last layout. It stays while the document can't be parsed. */
	layout = $state.raw<Layout | null>(null);

	readonly #core: Core;
	readonly #prefix: string;
	#turn = 0;

	/** `prefix` is the JSON Pointer of the OpenFlow document within the edited text. */
	constructor(core: Core, prefix: string) {
		this.#core = core;
		this.#prefix = prefix;
	}

	/** Validates the edited text, which is valid JSON. Results of earlier calls are discarded. */
	async check(text: string, catalog: Catalog): Promise<void> {
		const turn = ++this.#turn;
		if (text.length > LARGE_TEXT_LENGTH) await endTask();
		if (turn !== this.#turn) return;
		const start = performance.now();
		const { diagnostics, layout } = await this.#core.check({ text, pointer: this.#prefix }, catalog);
		// Drawing is a task of its own where checking was long.
		if (performance.now() - start > MAX_TASK_MS) await endTask();
		if (turn !== this.#turn) return;
		this.problems = toProblems(diagnostics, this.#prefix);
		if (layout) this.layout = layout;
	}
}

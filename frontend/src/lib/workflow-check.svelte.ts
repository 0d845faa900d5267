import type { Catalog, Core } from '#lib/core.ts';
import { problemsOf } from '#lib/api/problem.ts';
import type { Layout } from '#lib/graph/flow.ts';
import type { Problem } from '#lib/problems.ts';

/** What the core says about the document being edited: findings and where its steps are drawn. */
export class WorkflowCheck {
	/** Findings, with pointers under `prefix`. */
	problems = $state.raw<Problem[]>([]);
	/** The last layout; kept while the text cannot be read. */
	layout = $state.raw<Layout | null>(null);

	readonly #core: Core;
	readonly #prefix: string;
	#turn = 0;

	/** `prefix` is where the OpenFlow document lies in the text. */
	constructor(core: Core, prefix: string) {
		this.#core = core;
		this.#prefix = prefix;
	}

	/** Checks a document. Answers to older questions are dropped. */
	async check(document: unknown, catalog: Catalog): Promise<void> {
		const turn = ++this.#turn;
		const [diagnostics, layout] = await Promise.all([
			this.#core.validate(document, catalog),
			this.#core.layout<Layout>(document, {})
		]);
		if (turn !== this.#turn) return;
		this.problems = problemsOf(diagnostics, this.#prefix);
		if (layout) this.layout = layout;
	}
}

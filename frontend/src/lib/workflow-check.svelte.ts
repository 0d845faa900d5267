import type { Catalog, Core } from '#lib/core.ts';
import { toProblems } from '#lib/api/problem.ts';
import type { Layout } from '#lib/graph/flow.ts';
import type { Problem } from '#lib/problems.ts';

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

	/** Validates a document. Results of earlier calls are discarded. */
	async check(document: unknown, catalog: Catalog): Promise<void> {
		const turn = ++this.#turn;
		const [diagnostics, layout] = await Promise.all([
			this.#core.validate(document, catalog),
			this.#core.layout<Layout>(document, {})
		]);
		if (turn !== this.#turn) return;
		this.problems = toProblems(diagnostics, this.#prefix);
		if (layout) this.layout = layout;
	}
}

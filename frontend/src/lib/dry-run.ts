import type { Catalog } from '#lib/core.ts';
import type { Diagnostic, DryRunReport } from '#lib/api/types.ts';

/** A workflow to try out. */
export interface DryRunRequest {
	/** The OpenFlow document. */
	document: unknown;
	catalog: Catalog;
	input: Record<string, unknown>;
	/** Answers by step id, as `POST /workflows/dry_run` takes them. */
	mocks?: Record<string, unknown>;
	/** Answers to approval gates by step id. */
	approvals?: Record<string, unknown>;
	/** Runs up to and with this step. */
	until?: string;
	/** Runs this step alone. */
	only?: string;
}

/** What happened, or why nothing could. */
export type DryRunOutcome = { report: DryRunReport } | { diagnostics: Diagnostic[] };

/** What the worker is sent: the texts that the module takes. */
export interface DryRunTask {
	texts: [workflow: string, catalog: string, input: string, mocks: string, options: string];
}

/** What the worker answers: the module's text, or why there is none. */
export type DryRunAnswer = { text: string } | { failure: string };

/** The part of a `Worker` that dry runs use. */
export interface DryRunWorker {
	postMessage(task: DryRunTask): void;
	terminate(): void;
	onmessage: ((event: MessageEvent<DryRunAnswer>) => void) | null;
	onerror: ((event: ErrorEvent) => void) | null;
}

/** How long a dry run may take, the loading of the module included. */
const DEADLINE_MS = 20_000;

/**
 * Dry runs in this browser, one after the other, in a worker of their own: expressions are programs, and one that has
 * no end must not hold the page. The worker with its module is started when it is first used.
 */
export class DryRuns {
	readonly #start: () => DryRunWorker;
	readonly #deadlineMs: number;
	#worker: DryRunWorker | undefined;
	#last: Promise<unknown> = Promise.resolve();

	constructor(start: () => DryRunWorker, deadlineMs = DEADLINE_MS) {
		this.#start = start;
		this.#deadlineMs = deadlineMs;
	}

	/** Tries a workflow out. A failure of the dry run itself is a finding too. */
	run(request: DryRunRequest): Promise<DryRunOutcome> {
		const outcome = this.#last.then(() => this.#run(request));
		this.#last = outcome;
		return outcome;
	}

	async #run({ document, catalog, input, mocks, approvals, until, only }: DryRunRequest): Promise<DryRunOutcome> {
		const values = [document, catalog, input, mocks ?? {}, { approvals, until, only }];
		const texts = values.map((value) => JSON.stringify(value)) as DryRunTask['texts'];
		try {
			return JSON.parse(await this.#answer({ texts })) as DryRunOutcome;
		} catch (error) {
			// A trap leaves the memory of the module in an unknown state, so the next dry run gets a new one.
			this.#worker?.terminate();
			this.#worker = undefined;
			return { diagnostics: [failure(error)] };
		}
	}

	#answer(task: DryRunTask): Promise<string> {
		return new Promise((resolve, reject) => {
			const late = () => reject(new Error(`it took longer than ${this.#deadlineMs / 1000} s`));
			const timer = setTimeout(late, this.#deadlineMs);
			const settle = (settled: () => void) => (clearTimeout(timer), settled());
			try {
				const worker = (this.#worker ??= this.#start());
				worker.onmessage = ({ data }) =>
					settle(() => ('text' in data ? resolve(data.text) : reject(new Error(data.failure))));
				worker.onerror = ({ message }) => settle(() => reject(new Error(message || 'its worker did not start')));
				worker.postMessage(task);
			} catch (error) {
				settle(() => reject(error instanceof Error ? error : new Error(String(error))));
			}
		});
	}
}

function failure(error: unknown): Diagnostic {
	const message = error instanceof Error ? error.message : String(error);
	return {
		code: 'core-failed',
		severity: 'error',
		pointer: '',
		message: `the dry run in this browser failed (${message})`,
		help: 'the server can do it: POST /api/v1/workflows/dry_run'
	};
}

/** Starts the worker that loads the module which `cargo xtask build` makes. */
export function startDryRunWorker(): DryRunWorker {
	return new Worker(new URL('./dry-run.worker.ts', import.meta.url), { type: 'module' });
}

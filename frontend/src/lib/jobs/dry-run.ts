import type { WholeCatalog } from '#lib/documents/catalog.ts';
import type { Diagnostic, DryRunReport } from '#lib/api/types.ts';

/** A dry run to perform. */
export interface DryRunRequest {
	/** The OpenFlow document. */
	document: unknown;
	catalog: WholeCatalog;
	input: Record<string, unknown>;
	/** Mocks by step id, as in `POST /workflows/dry_run`. */
	mocks?: Record<string, unknown>;
	/** Responses to approval gates by step id. */
	approvals?: Record<string, unknown>;
	/** Stops after this step. */
	until?: string;
	/** Runs only this step. */
	only?: string;
}

/** The report, or the diagnostics that prevented the run. */
export type DryRunOutcome = { report: DryRunReport } | { diagnostics: Diagnostic[] };

/** Message to the worker: the JSON arguments of the module. */
export interface DryRunTask {
	texts: [workflow: string, catalog: string, input: string, mocks: string, options: string];
}

/** Message from the worker: the module's JSON result, or an error. */
export type DryRunAnswer = { text: string } | { failure: string };

/** The part of a `Worker` that dry runs use. */
export interface DryRunWorker {
	postMessage(task: DryRunTask): void;
	terminate(): void;
	onmessage: ((event: MessageEvent<DryRunAnswer>) => void) | null;
	onerror: ((event: ErrorEvent) => void) | null;
}

/** Time limit of a dry run, including loading the module. */
const DEADLINE_MS = 20_000;

/**
 * Performs dry runs in this browser, one at a time, in a worker: expressions are programs, and an endless one must not
 * block the page. The worker is started on first use.
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

	/** Performs a dry run. If the dry run itself fails, this is returned as a diagnostic. */
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
			// After a trap, the memory of the module is in an unknown state, so the next dry run starts a new worker.
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
				worker.onerror = ({ message }) => settle(() => reject(new Error(message || 'the worker did not start')));
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
		message: `the dry run failed in this browser (${message})`,
		help: 'run it on the server instead: POST /api/v1/workflows/dry_run'
	};
}

/** Starts the worker that loads the WebAssembly module built by `cargo xtask build`. */
export function startDryRunWorker(): DryRunWorker {
	return new Worker(new URL('./dry-run.worker.ts', import.meta.url), { type: 'module' });
}

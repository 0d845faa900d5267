import { toProblemError, type ProblemError } from '#lib/api/problem.ts';
import type { Job, RerunRequest } from '#lib/api/types.ts';

/** Reruns a job. If the outcome of a call is unknown, the user has to confirm that it may be sent again. */
export class Rerun {
	/** Why the server asks for confirmation. */
	pendingConfirmation = $state.raw<ProblemError | null>(null);

	readonly #send: (request: RerunRequest) => Promise<Job>;
	#resolve: ((confirmed: boolean) => void) | undefined;

	/** `send` throws `ProblemError`. */
	constructor(send: (request: RerunRequest) => Promise<Job>) {
		this.#send = send;
	}

	/** Starts the rerun and returns the new job, or null if the user cancels. Throws `ProblemError`. */
	async start(request: RerunRequest): Promise<Job | null> {
		try {
			return await this.#send(request);
		} catch (error) {
			const problem = toProblemError(error);
			if (problem.body.code !== 'confirm_unknown') throw problem;
			return (await this.#ask(problem)) ? this.#send({ ...request, confirm_unknown: true }) : null;
		}
	}

	/** Passes on the decision of the user. */
	confirm(confirmed: boolean): void {
		this.pendingConfirmation = null;
		this.#resolve?.(confirmed);
		this.#resolve = undefined;
	}

	#ask(problem: ProblemError): Promise<boolean> {
		this.confirm(false);
		this.pendingConfirmation = problem;
		return new Promise((resolve) => (this.#resolve = resolve));
	}
}

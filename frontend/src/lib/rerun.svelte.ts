import { problemOf, type ProblemError } from '#lib/api/problem.ts';
import type { Job, RerunRequest } from '#lib/api/types.ts';

/** Running a job again; where nobody knows whether a call of it was taken by the provider, the person decides. */
export class Rerun {
	/** Why the server wants a person's word first. */
	doubt = $state.raw<ProblemError | null>(null);

	readonly #send: (request: RerunRequest) => Promise<Job>;
	#decide: ((goOn: boolean) => void) | undefined;

	/** `send` throws `ProblemError`. */
	constructor(send: (request: RerunRequest) => Promise<Job>) {
		this.#send = send;
	}

	/** Gives the new job, or null where the person decided against it. Throws `ProblemError`. */
	async start(request: RerunRequest): Promise<Job | null> {
		try {
			return await this.#send(request);
		} catch (error) {
			const problem = problemOf(error);
			if (problem.body.code !== 'confirm_unknown') throw problem;
			return (await this.#ask(problem)) ? this.#send({ ...request, confirm_unknown: true }) : null;
		}
	}

	/** The person's word. */
	decide(goOn: boolean): void {
		this.doubt = null;
		this.#decide?.(goOn);
		this.#decide = undefined;
	}

	#ask(problem: ProblemError): Promise<boolean> {
		this.decide(false);
		this.doubt = problem;
		return new Promise((resolve) => (this.#decide = resolve));
	}
}

import { toProblemError, type ProblemError } from '#lib/api/problem.ts';

/** State of a form submission: whether it is in progress, and its error. */
export class FormSubmission {
	/** Whether the submission is in progress. */
	busy = $state(false);
	/** Error, if the request was refused. */
	problem = $state.raw<ProblemError | null>(null);
	/** Whether the last submission succeeded. */
	done = $state(false);

	/** Runs the action of a submitted form, or of another of its buttons, and records its error. */
	async submit(event: Event, action: () => Promise<void>): Promise<void> {
		event.preventDefault();
		this.busy = true;
		this.problem = null;
		this.done = false;
		try {
			await action();
			this.done = true;
		} catch (error) {
			this.problem = toProblemError(error);
		} finally {
			this.busy = false;
		}
	}

	/** Error message for one field of the body. */
	fieldError(pointer: string): string | undefined {
		return this.problem?.body.errors?.find((fault) => fault.pointer === pointer)?.message;
	}
}

import { problemOf, type ProblemError } from '#lib/api/problem.ts';

/** The sending of a form: whether it is under way, and what the server said against it. */
export class Sending {
	/** Whether it is under way. */
	busy = $state(false);
	/** Why it was refused. */
	problem = $state.raw<ProblemError | null>(null);
	/** Whether the last one was accepted. */
	done = $state(false);

	/** Does the deed of a submitted form; a refusal is kept here. */
	async send(event: SubmitEvent, deed: () => Promise<void>): Promise<void> {
		event.preventDefault();
		this.busy = true;
		this.problem = null;
		this.done = false;
		try {
			await deed();
			this.done = true;
		} catch (error) {
			this.problem = problemOf(error);
		} finally {
			this.busy = false;
		}
	}

	/** What the server said against one field of the body. */
	at(pointer: string): string | undefined {
		return this.problem?.body.errors?.find((fault) => fault.pointer === pointer)?.message;
	}
}

/** One part of a provider's log. Source: `StepLog` in `openapi.json`. */
export interface LogPart {
	attempt: number;
	/** Position of the text in the whole log, in bytes. */
	offset: number;
	total_bytes: number;
	text: string;
}

/** The log of a step as it grows. Each read asks only for what was added since. */
export class StepLogText {
	/** The text so far. */
	text = $state('');
	/** Whether the beginning of the log is no longer kept. */
	isCut = $state(false);

	readonly #read: (offset: number) => Promise<LogPart>;
	#attempt = 0;
	#next = 0;
	#pending: Promise<void> = Promise.resolve();

	/** `read` reads the log from a position, in bytes. */
	constructor(read: (offset: number) => Promise<LogPart>) {
		this.#read = read;
	}

	/** Reads what was added. Reads in quick succession follow each other. */
	update(): Promise<void> {
		this.#pending = this.#pending.catch(() => undefined).then(() => this.#append());
		return this.#pending;
	}

	async #append(): Promise<void> {
		const part = await this.#read(this.#next);
		if (part.attempt !== this.#attempt && this.#next > 0) {
			// Another attempt begins a new log.
			[this.text, this.#next, this.#attempt] = ['', 0, part.attempt];
			return this.#append();
		}
		this.#attempt = part.attempt;
		if (part.offset > this.#next) this.isCut = true;
		this.text += part.text;
		this.#next = part.total_bytes;
	}
}

/** Lines of a log that contain a text, without case, with their numbers from 1. */
export function findLines(log: string, search: string): { number: number; text: string }[] {
	const wanted = search.trim().toLowerCase();
	const lines = log.split('\n').map((text, index) => ({ number: index + 1, text }));
	if (lines.at(-1)?.text === '') lines.pop();
	return wanted === '' ? lines : lines.filter(({ text }) => text.toLowerCase().includes(wanted));
}

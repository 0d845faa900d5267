/** How fresh a job on the screen is. */
export type FeedState = 'connecting' | 'live' | 'reconnecting' | 'ended';

/** The least of an `EventSource` that a feed needs. */
export interface Source {
	readonly readyState: number;
	addEventListener(type: string, listener: () => void): void;
	close(): void;
}

const CLOSED = 2;

/**
 * Follows a job's events. They say that something changed, and the job is read anew then: the server's view of it is
 * the truth, the stream is the hint. Events that come in a bunch lead to one reading.
 */
export class JobFeed {
	/** How fresh the job is. */
	state = $state<FeedState>('connecting');

	readonly #source: Source;
	readonly #changed: () => void;
	readonly #pause_ms: number;
	#timer: ReturnType<typeof setTimeout> | undefined;

	/** Calls `changed` at most once in `pause_ms` milliseconds. */
	constructor(source: Source, changed: () => void, pause_ms = 150) {
		this.#source = source;
		this.#changed = changed;
		this.#pause_ms = pause_ms;
		source.addEventListener('open', () => (this.state = 'live'));
		source.addEventListener('message', () => this.#soon());
		source.addEventListener('end', () => this.#end());
		// The browser connects again by itself, with the last event's number; it gives up only on a refusal.
		source.addEventListener('error', () => {
			if (source.readyState === CLOSED) this.#end();
			else this.state = 'reconnecting';
		});
	}

	/** Stops following. */
	close(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
		this.#source.close();
	}

	#soon(): void {
		this.#timer ??= setTimeout(() => {
			this.#timer = undefined;
			this.#changed();
		}, this.#pause_ms);
	}

	#end(): void {
		this.close();
		this.state = 'ended';
		this.#changed();
	}
}

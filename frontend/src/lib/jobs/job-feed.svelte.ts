/** Connection state of a job feed. */
export type FeedState = 'connecting' | 'live' | 'reconnecting' | 'ended';

/** The parts of an `EventSource` that a feed needs. */
export interface Source {
	readonly readyState: number;
	addEventListener(type: string, listener: () => void): void;
	close(): void;
}

const CLOSED = 2;

/**
 * Follows the event stream of a job. Events only signal that something changed; the job is then refetched. Events in
 * quick succession cause one refetch.
 */
export class JobFeed {
	/** Connection state. */
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
		source.addEventListener('progress', () => this.#soon());
		source.addEventListener('logs', () => this.#soon());
		source.addEventListener('end', () => this.#end());
		// The browser reconnects by itself with the last event id. It gives up only if the server refuses.
		source.addEventListener('error', () => {
			if (source.readyState === CLOSED) this.#end();
			else this.state = 'reconnecting';
		});
	}

	/** Closes the stream. */
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

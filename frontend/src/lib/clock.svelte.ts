import { createSubscriber } from 'svelte/reactivity';

/** The present moment, in milliseconds, renewed at an interval while anything on the page reads it. */
export class Clock {
	readonly #subscribe: () => void;

	/** `interval_ms` between two moments. */
	constructor(interval_ms: number) {
		this.#subscribe = createSubscriber((update) => {
			const timer = setInterval(update, interval_ms);
			return () => clearInterval(timer);
		});
	}

	get now(): number {
		this.#subscribe();
		return Date.now();
	}
}

import { createSubscriber } from 'svelte/reactivity';

/** The current time in milliseconds, updated at an interval while it is used on the page. */
export class Clock {
	readonly #subscribe: () => void;

	/** Updates every `interval_ms` milliseconds. */
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

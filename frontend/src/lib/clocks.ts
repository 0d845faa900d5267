import { createContext } from 'svelte';
import { Clock } from '#lib/clock.svelte.ts';

/** The clocks of the app: one for words such as "5 minutes ago", one for running stopwatches. */
export class Clocks {
	readonly slow = new Clock(10_000);
	readonly fast = new Clock(100);
}

/** The clocks of the app around a component. */
export const [useClocks, provideClocks] = createContext<Clocks>();

import { createContext } from 'svelte';
import { Clock } from '#lib/clock.svelte.ts';

/** Clocks of the app: a slow one for relative times such as "5 minutes ago", a fast one for elapsed times. */
export class Clocks {
	readonly slow = new Clock(10_000);
	readonly fast = new Clock(100);
}

/** Context of the clocks. */
export const [useClocks, provideClocks] = createContext<Clocks>();

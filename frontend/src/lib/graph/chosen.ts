import { createContext } from 'svelte';

/** The module that the person is at; read by the cards, so that moving on draws two of them and not the graph. */
export interface Chosen {
	/** Its pointer in the OpenFlow document. */
	readonly pointer: string | undefined;
}

/** The chosen module of the graph around a card. */
export const [useChosen, provideChosen] = createContext<Chosen>();

import { createContext } from 'svelte';

/** The selected module. Cards read it directly, so a change redraws two cards instead of the whole graph. */
export interface SelectedModule {
	/** Its JSON Pointer in the OpenFlow document. */
	readonly pointer: string | undefined;
}

/** Context of the selected module. */
export const [useSelectedModule, provideSelectedModule] = createContext<SelectedModule>();

import { createContext } from 'svelte';

/** An action of the current page that the palette offers. */
export interface PageCommand {
	/** Unique among the page's. */
	key: string;
	name: string;
	/** Keys that start it too. */
	keys: string;
	perform: () => void;
}

/** The actions of the current page, for the palette. */
export class PageCommands {
	/** Empty if the page has none. */
	list = $state.raw<readonly PageCommand[]>([]);
}

/** Context of the actions of the current page. */
export const [usePageCommands, providePageCommands] = createContext<PageCommands>();

/** Offers actions in the palette while a component is mounted. Called while it is initialized; `list` is called reactively. */
export function offerCommands(list: () => readonly PageCommand[]): void {
	const commands = usePageCommands();
	$effect(() => {
		const offered = list();
		commands.list = offered;
		return () => {
			if (commands.list === offered) commands.list = [];
		};
	});
}

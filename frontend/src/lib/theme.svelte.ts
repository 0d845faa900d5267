import { createContext } from 'svelte';

/** What a reader may choose. */
export const THEMES = ['system', 'light', 'dark'] as const;
/** A reader's choice. */
export type ThemeChoice = (typeof THEMES)[number];

const KEY = 'apiflow-theme';

/** The reader's choice of light or dark, kept in this browser. */
export class Theme {
	#choice = $state<ThemeChoice>('system');

	constructor() {
		const saved = localStorage.getItem(KEY);
		this.#apply(THEMES.find((theme) => theme === saved) ?? 'system');
	}

	get choice(): ThemeChoice {
		return this.#choice;
	}

	set choice(choice: ThemeChoice) {
		localStorage.setItem(KEY, choice);
		this.#apply(choice);
	}

	#apply(choice: ThemeChoice): void {
		this.#choice = choice;
		if (choice === 'system') delete document.documentElement.dataset.theme;
		else document.documentElement.dataset.theme = choice;
	}
}

/** The theme of the app around a component. */
export const [useTheme, provideTheme] = createContext<Theme>();

import { createContext } from 'svelte';

/** Available themes. */
export const THEMES = ['system', 'light', 'dark'] as const;
/** The theme chosen by the user. */
export type ThemeChoice = (typeof THEMES)[number];

/** Names of the themes. */
export const THEME_LABELS: Readonly<Record<ThemeChoice, string>> = { system: 'System', light: 'Light', dark: 'Dark' };

const KEY = 'apiflow-theme';

/** The theme, stored in this browser. */
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

/** Context of the theme. */
export const [useTheme, provideTheme] = createContext<Theme>();

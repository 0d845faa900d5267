/** A keyboard shortcut, for the list that `?` shows. */
export interface Shortcut {
	keys: string;
	action: string;
}

/** Pages by the letter that follows `G`. */
const PAGES: Readonly<Record<string, string>> = {
	w: '/workflows',
	j: '/jobs',
	a: '/artifacts',
	n: '/nodes',
	c: '/connectors',
	l: '/library',
	s: '/secrets',
	u: '/usage'
};

/** Shortcuts of all pages. */
export const GLOBAL_SHORTCUTS: readonly Shortcut[] = [
	{ keys: 'Ctrl+K', action: 'Go to anything, or start an action' },
	{ keys: '?', action: 'Show the shortcuts' },
	...Object.entries(PAGES).map(([letter, path]) => ({ keys: `G ${letter.toUpperCase()}`, action: `Go to ${path.slice(1)}` }))
];

/** Shortcuts of lists. */
export const LIST_SHORTCUTS: readonly Shortcut[] = [
	{ keys: '/', action: 'Search the list' },
	{ keys: 'Shift+click', action: 'Select a range' },
	{ keys: '← →', action: 'Previous or next file, in the viewer' }
];

/** What a key does on every page. */
export type GlobalAction = { type: 'help' } | { type: 'search' } | { type: 'go'; href: string };

/** Time in which the second key of a sequence must follow, in milliseconds. */
const SEQUENCE_MS = 1_200;

/** Reads single keys and sequences of two. Keys that are typed in a field must not be passed to it. */
export class KeySequence {
	#startedAt = -Infinity;

	/** The action of a key, if it has one. `now` is in milliseconds. */
	press({ key, ctrlKey, metaKey, altKey }: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey'>, now: number): GlobalAction | null {
		const isSecond = now - this.#startedAt <= SEQUENCE_MS;
		this.#startedAt = -Infinity;
		if (ctrlKey || metaKey || altKey) return null;
		const href = isSecond ? PAGES[key.toLowerCase()] : undefined;
		if (href) return { type: 'go', href };
		if (key.toLowerCase() === 'g') this.#startedAt = now;
		if (key === '?') return { type: 'help' };
		return key === '/' ? { type: 'search' } : null;
	}
}

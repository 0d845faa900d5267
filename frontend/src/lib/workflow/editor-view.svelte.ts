/** Where the text of a workflow is shown: not at all, beside or below the graph, or alone. */
export type TextPlace = 'hidden' | 'beside' | 'below' | 'alone';

/** All places, with their labels. */
export const TEXT_PLACES: readonly { value: TextPlace; label: string }[] = [
	{ value: 'hidden', label: 'Graph' },
	{ value: 'beside', label: 'Graph and text beside it' },
	{ value: 'below', label: 'Graph and text below it' },
	{ value: 'alone', label: 'Text' }
];

const STORAGE_KEY = 'apiflow.text-place';

/** The arrangement of the editor, which this browser remembers. */
export class EditorView {
	#place = $state<TextPlace>('hidden');

	constructor() {
		try {
			const stored = localStorage.getItem(STORAGE_KEY);
			this.#place = TEXT_PLACES.find(({ value }) => value === stored)?.value ?? 'hidden';
		} catch {
			// The storage is refused. The default arrangement is used.
		}
	}

	/** Where the text is shown. */
	get place(): TextPlace {
		return this.#place;
	}

	set place(place: TextPlace) {
		this.#place = place;
		try {
			localStorage.setItem(STORAGE_KEY, place);
		} catch {
			// The storage is full or refused. The choice holds until the page is closed.
		}
	}
}

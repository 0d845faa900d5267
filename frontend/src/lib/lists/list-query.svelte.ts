/** Time after which typed text is written to the URL, in milliseconds. */
const WRITE_DELAY_MS = 250;

function namesOf<N extends string>(values: Readonly<Record<N, string>>): N[] {
	return Object.keys(values) as N[];
}

/**
 * Search, filters and order of a list. They are kept in the query of the page's URL, so that a link and the back button
 * show the same list. Values that are the default are not in the URL.
 */
export class ListQuery<N extends string> {
	readonly #defaults: Readonly<Record<N, string>>;
	readonly #write: (search: URLSearchParams) => void;
	#values = $state.raw<Readonly<Record<N, string>>>({} as Record<N, string>);
	#timer: ReturnType<typeof setTimeout> | undefined;

	/** `write` replaces the query of the page's URL. */
	constructor(defaults: Readonly<Record<N, string>>, search: URLSearchParams, write: (search: URLSearchParams) => void) {
		this.#defaults = defaults;
		this.#write = write;
		this.read(search);
	}

	/** Value of a filter. */
	get(name: N): string {
		return this.#values[name];
	}

	/** Whether a filter or search hides items. The order of a list, `order`, hides none. */
	get isFiltered(): boolean {
		return namesOf(this.#defaults).some((name) => name !== 'order' && this.#values[name].trim() !== this.#defaults[name]);
	}

	/** Changes a filter at once, and the URL shortly after. */
	set(name: N, value: string): void {
		this.#values = { ...this.#values, [name]: value };
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => this.flush(), WRITE_DELAY_MS);
	}

	/** Shows all items, in the same order. */
	reset(): void {
		const order = 'order' in this.#values ? { order: this.#values.order } : {};
		this.#values = { ...this.#defaults, ...order };
		this.flush();
	}

	/** Writes the URL without delay. */
	flush(): void {
		this.cancel();
		this.#write(this.#toSearch());
	}

	/** Forgets what was not written to the URL yet: the page is being left. */
	cancel(): void {
		clearTimeout(this.#timer);
		this.#timer = undefined;
	}

	/** Takes over the query of a URL, unless the user has typed meanwhile. */
	read(search: URLSearchParams): void {
		if (this.#timer !== undefined) return;
		this.#values = Object.fromEntries(namesOf(this.#defaults).map((name) => [name, search.get(name) ?? this.#defaults[name]])) as Record<N, string>;
	}

	#toSearch(): URLSearchParams {
		const changed = namesOf(this.#defaults).filter((name) => this.#values[name] !== this.#defaults[name]);
		return new URLSearchParams(changed.map((name) => [name, this.#values[name]]));
	}
}

/** The selected items of a list, by id. */
export class Selection {
	#ids = $state.raw<ReadonlySet<string>>(new Set());
	/** The item that was selected last: where a range begins. */
	#anchor: string | null = null;

	/** Whether an item is selected. */
	has(id: string): boolean {
		return this.#ids.has(id);
	}

	/** Selects or unselects an item. With `isRange`, all items between it and the last one become as it does. */
	toggle(id: string, shown: readonly string[], isRange = false): void {
		const isSelected = !this.#ids.has(id);
		const from = isRange && this.#anchor !== null ? shown.indexOf(this.#anchor) : -1;
		const to = shown.indexOf(id);
		const changed = from === -1 || to === -1 ? [id] : shown.slice(Math.min(from, to), Math.max(from, to) + 1);
		const ids = new Set(this.#ids);
		for (const other of changed) {
			if (isSelected) ids.add(other);
			else ids.delete(other);
		}
		this.#ids = ids;
		this.#anchor = id;
	}

	/** Selects exactly these items. */
	replace(ids: Iterable<string>): void {
		this.#ids = new Set(ids);
		this.#anchor = null;
	}

	/** Selects nothing. */
	clear(): void {
		this.replace([]);
	}

	/** The selected ones of some items. */
	pick<T>(items: readonly T[], idOf: (item: T) => string): T[] {
		return items.filter((item) => this.#ids.has(idOf(item)));
	}
}

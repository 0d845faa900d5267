import type { Versioned } from '#lib/api/client.ts';
import type { Documents } from '#lib/api/documents.ts';
import type { Draft } from '#lib/forms/draft.svelte.ts';
import { formatJson } from '#lib/format.ts';
import { editableFields, type AnyDocument } from '#lib/documents/kinds.ts';

/** The texts that a merge view shows. */
export interface MergeTexts {
	/** The version that both texts are based on; null if it is unknown. */
	base: string | null;
	/** The saved version. */
	theirs: string;
	/** The text with one's own changes. */
	mine: string;
}

/** Combines one's own changes with a version that was saved meanwhile. */
export class SaveConflict<T extends AnyDocument> {
	/** The texts to combine; null while there is no merge view. */
	texts = $state.raw<MergeTexts | null>(null);

	readonly #draft: Draft<T>;
	readonly #documents: Documents<T>;
	#theirs: Versioned<T> | null = null;

	constructor(draft: Draft<T>, documents: Documents<T>) {
		this.#draft = draft;
		this.#documents = documents;
	}

	/** Fetches the saved version and opens the merge view. Throws `ProblemError`. */
	async open(mine: string, base: string | null): Promise<void> {
		if (!this.#draft.saved) return;
		this.#theirs = await this.#documents.get(this.#draft.saved.id);
		this.texts = { base, theirs: formatJson(editableFields(this.#theirs.data)), mine };
	}

	/** Takes the combined text, based on the version that it was combined with. */
	accept(merged: string): void {
		if (this.#theirs) this.#draft.rebase(this.#theirs, merged);
		this.close();
	}

	/** Closes the merge view and changes nothing. */
	close(): void {
		this.texts = null;
		this.#theirs = null;
	}
}

import { untrack } from 'svelte';
import type { Draft } from '#lib/forms/draft.svelte.ts';
import type { AnyDocument } from '#lib/documents/kinds.ts';
import { findKeptDraft, forgetDraft, keepDraft, type KeptDraft } from '#lib/kept-draft.ts';

/** How long after a change the text is kept. */
const KEEP_AFTER_MS = 500;

/**
 * Keeps the unsaved text of a document in this browser, and offers what an earlier visit left. Create it while a
 * component is initialized.
 */
export class DraftKeeper<T extends AnyDocument> {
	/** Unsaved text of an earlier visit; null for none. */
	offered = $state.raw<KeptDraft | null>(null);

	readonly #draft: Draft<T>;
	readonly #word: string;
	#restoresAtOnce: boolean;
	/** Key of the saved document. Derived, so that a save alone does not look for kept text again. */
	readonly #key: string | null = $derived.by(() => (this.#draft.saved ? `${this.#word}/${this.#draft.saved.id}` : null));

	/** `word` is the kind of the document. `restoresAtOnce`: whether kept text goes back into the draft without a question, unless the document was saved since then. */
	constructor(draft: Draft<T>, word: string, restoresAtOnce = false) {
		this.#restoresAtOnce = restoresAtOnce;
		this.#draft = draft;
		this.#word = word;
		$effect(() => {
			const key = this.#key;
			if (key !== null) void untrack(() => findKeptDraft(key, draft.text)).then((found) => this.#offer(found));
		});
		$effect(() => {
			const [key, content, isDirty] = [this.#key, draft.text, draft.dirty];
			if (key === null || this.offered !== null) return;
			const timer = setTimeout(() => void (isDirty ? keepDraft(key, this.#toKept(content)) : forgetDraft(key)), KEEP_AFTER_MS);
			return () => clearTimeout(timer);
		});
	}

	/** Keeps the unsaved text at once, before the page is left. */
	async keepNow(): Promise<void> {
		if (this.#key !== null && this.#draft.dirty) await keepDraft(this.#key, this.#toKept(this.#draft.text));
	}

	/** Whether the document was saved since the offered text was kept. */
	get isOutdated(): boolean {
		return this.offered !== null && this.offered.base !== this.#draft.etag;
	}

	/** Withdraws the offer and returns the text that was offered. */
	take(): string | null {
		const found = this.offered?.text ?? null;
		this.offered = null;
		return found;
	}

	/** Forgets the offered text. */
	discard(): void {
		this.offered = null;
		if (this.#key !== null) void forgetDraft(this.#key);
	}

	#offer(found: KeptDraft | null): void {
		this.offered = found;
		if (found && this.#restoresAtOnce && !this.isOutdated) this.#draft.text = this.take() ?? this.#draft.text;
		this.#restoresAtOnce = false;
	}

	#toKept(text: string): KeptDraft {
		return { text, base: this.#draft.etag, baseText: this.#draft.baseText, at: new Date().toISOString() };
	}
}

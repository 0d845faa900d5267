import type { Documents } from '#lib/api/documents.ts';
import type { Versioned } from '#lib/api/client.ts';
import { toProblemError, toProblems, problemsOfError, type ProblemError } from '#lib/api/problem.ts';
import { findJsonFaults } from '#lib/editor/json-faults.ts';
import { formatJson } from '#lib/format.ts';
import { editableFields, type AnyDocument, type Kind } from '#lib/documents/kinds.ts';
import type { Problem } from '#lib/problems.ts';

/** A document being edited as JSON: its text, the version it is based on, and the problems that the server reported. */
export class Draft<T extends AnyDocument> {
	/** The text in the editor. */
	text = $state('');
	/** Error of the last save, if it was refused. */
	saveError = $state.raw<ProblemError | null>(null);
	/** Whether a save is in progress. */
	saving = $state(false);
	/** The saved document; null before it is created. */
	saved = $state.raw<T | null>(null);

	readonly #kind: Kind<T>;
	readonly #documents: Documents<T>;
	#etag: string | null = null;
	#base = $state('');

	/** Creates a draft of a new document, or of a saved version. */
	constructor(kind: Kind<T>, documents: Documents<T>, from: Versioned<T> | null) {
		this.#kind = kind;
		this.#documents = documents;
		if (from) this.load(from);
		else this.text = this.#base = formatJson(kind.template);
	}

	/** The parsed text; `undefined` while it is not valid JSON. */
	readonly value: unknown = $derived.by(() => {
		try {
			return JSON.parse(this.text) as unknown;
		} catch {
			return undefined;
		}
	});

	/** What keeps the text from being JSON, and duplicate keys. */
	readonly faults: Problem[] = $derived.by(() => findJsonFaults(this.text));

	/** Whether there are unsaved changes. */
	readonly dirty: boolean = $derived(this.text !== this.#base);

	/** Whether another user saved a newer version. */
	readonly conflict: boolean = $derived(this.saveError?.status === 412);

	/** Problems that the server reported for the saved version or for the refused text. */
	readonly serverProblems: Problem[] = $derived.by(() => {
		if (this.saveError) return problemsOfError(this.saveError, this.#kind.prefix);
		return this.dirty || !this.saved ? [] : toProblems(this.saved.diagnostics, this.#kind.prefix);
	});

	/** Loads a version and discards the current text. */
	load({ data, etag }: Versioned<T>): void {
		this.saved = data;
		this.#etag = etag;
		this.saveError = null;
		this.text = this.#base = formatJson(editableFields(data));
	}

	/** ETag of the version that the text is based on; null for a new document. */
	get etag(): string | null {
		return this.#etag;
	}

	/** Text of the version that the draft is based on. */
	get baseText(): string {
		return this.#base;
	}

	/** Takes another version as the base, and a text that combines it with the user's changes. */
	rebase({ data, etag }: Versioned<T>, text: string): void {
		this.saved = data;
		this.#etag = etag;
		this.saveError = null;
		this.#base = formatJson(editableFields(data));
		this.text = text;
	}

	/** Saves the text. `force` overwrites any other version. Returns the document, or null if it was refused. */
	async save(force = false): Promise<T | null> {
		if (this.value === undefined || this.saving) return null;
		this.saving = true;
		try {
			const sent = this.text;
			const written = this.saved
				? await this.#documents.replace(this.saved.id, this.value, force ? null : this.#etag)
				: await this.#documents.create(this.value);
			this.#accept(written, sent);
			return written.data;
		} catch (error) {
			this.saveError = toProblemError(error);
			return null;
		} finally {
			this.saving = false;
		}
	}

	/** Records a successful save. Keeps the user's formatting unless the server changed the document. */
	#accept(written: Versioned<T>, sent: string): void {
		const typedOn = this.text !== sent;
		const same = formatJson(JSON.parse(sent)) === formatJson(editableFields(written.data));
		this.saved = written.data;
		this.#etag = written.etag;
		this.saveError = null;
		this.#base = sent;
		if (!typedOn && !same) this.text = this.#base = formatJson(editableFields(written.data));
	}
}

import type { Documents } from '#lib/api/documents.ts';
import type { Versioned } from '#lib/api/client.ts';
import { problemOf, problemsOf, refusals, type ProblemError } from '#lib/api/problem.ts';
import { pretty } from '#lib/format.ts';
import { editable, type AnyDocument, type Kind } from '#lib/kinds.ts';
import type { Problem } from '#lib/problems.ts';

/** A document being edited as JSON: its text, the version it is based on, and what the server thinks of it. */
export class Draft<T extends AnyDocument> {
	/** The text in the editor. */
	text = $state('');
	/** Why the last save was refused. */
	refusal = $state.raw<ProblemError | null>(null);
	/** Whether a save is under way. */
	saving = $state(false);
	/** The document as the server has it; null before it is created. */
	saved = $state.raw<T | null>(null);

	readonly #kind: Kind<T>;
	readonly #documents: Documents<T>;
	#etag: string | null = null;
	#base = $state('');

	/** A new document, or the version of one that was read. */
	constructor(kind: Kind<T>, documents: Documents<T>, from: Versioned<T> | null) {
		this.#kind = kind;
		this.#documents = documents;
		if (from) this.load(from);
		else this.text = this.#base = pretty(kind.template);
	}

	/** The value of the text; `undefined` while it is not JSON. */
	readonly value: unknown = $derived.by(() => {
		try {
			return JSON.parse(this.text) as unknown;
		} catch {
			return undefined;
		}
	});

	/** Whether there is something to lose. */
	readonly dirty: boolean = $derived(this.text !== this.#base);

	/** Whether somebody else saved another version in between. */
	readonly conflict: boolean = $derived(this.refusal?.status === 412);

	/** What the server found in the version that it has, or in the text that it refused. */
	readonly found: Problem[] = $derived.by(() => {
		if (this.refusal) return refusals(this.refusal, this.#kind.prefix);
		return this.dirty || !this.saved ? [] : problemsOf(this.saved.diagnostics, this.#kind.prefix);
	});

	/** Shows a version, throwing the text away. */
	load({ data, etag }: Versioned<T>): void {
		this.saved = data;
		this.#etag = etag;
		this.refusal = null;
		this.text = this.#base = pretty(editable(data));
	}

	/** Saves the text; `force` replaces whatever the server has. Gives the document, or null where it was refused. */
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
			this.refusal = problemOf(error);
			return null;
		} finally {
			this.saving = false;
		}
	}

	/** Keeps the person's formatting, unless the server wrote something else or the person typed on. */
	#accept(written: Versioned<T>, sent: string): void {
		const typedOn = this.text !== sent;
		const same = pretty(JSON.parse(sent)) === pretty(editable(written.data));
		this.saved = written.data;
		this.#etag = written.etag;
		this.refusal = null;
		this.#base = sent;
		if (!typedOn && !same) this.text = this.#base = pretty(editable(written.data));
	}
}

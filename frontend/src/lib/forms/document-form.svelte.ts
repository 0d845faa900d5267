import type { Documents } from '#lib/api/documents.ts';
import type { Versioned } from '#lib/api/client.ts';
import { problemsOfError } from '#lib/api/problem.ts';
import { applyFixes } from '#lib/editor/fixes.ts';
import { applyTextChanges } from '#lib/editor/json-edit.ts';
import { findJsonFaults } from '#lib/editor/json-faults.ts';
import { FormSubmission } from '#lib/forms/form-submission.svelte.ts';
import { formatJson } from '#lib/format.ts';
import { editableFields, type AnyDocument } from '#lib/documents/kinds.ts';
import { valueAt } from '#lib/pointer.ts';
import { mergeProblems, type Fix, type Problem } from '#lib/problems.ts';
import { isObject } from '#lib/workflow/modules.ts';

type Document = Record<string, unknown>;

/** How a kind of document is shown as a form. */
export interface FormShape<F> {
	/** Reads a document. The id of a saved document is added to it. */
	read: (document: Document) => F;
	/** Writes the form into the document. What the form does not show stays as it is. */
	write: (before: Document, form: F) => Document;
	/** What prevents the form from being written; empty if nothing does. */
	fault?: (form: F) => string;
}

/** Finds problems of a document while it is edited. */
export type DocumentCheck = (document: Document) => Promise<Problem[]>;

/** A document that is edited in a dialog: as a form in tabs, and as JSON in the tab `json`. */
export class DocumentForm<T extends AnyDocument, F> {
	/** The form. */
	form: F;
	/** The JSON in its tab. */
	json = $state('');
	/** The saved document; null for a new one. */
	saved: T | null = $state.raw(null);
	/** Whether the id follows the name. */
	isIdFree = $state(false);
	readonly submission = new FormSubmission();

	readonly #shape: FormShape<F>;
	#etag: string | null;
	#tab = $state('');
	#document = $state.raw<Document>({});
	/** What the check found, and for which document. */
	#checked = $state.raw<Problem[]>([]);
	#turn = 0;
	/** The document as it was opened or last saved, as text. */
	#savedText = $state('');

	/** `tab` is the first tab. */
	constructor(shape: FormShape<F>, from: Versioned<T> | null, tab: string) {
		this.#shape = shape;
		this.saved = from?.data ?? null;
		this.#etag = from?.etag ?? null;
		this.#document = from ? editableFields(from.data) : {};
		this.#tab = tab;
		this.isIdFree = from === null;
		this.form = $state(this.#read());
		if (from) this.#savedText = contentOf(this.value);
	}

	/** Faults of the JSON, if its tab is open. */
	readonly faults: Problem[] = $derived.by(() => (this.#tab === 'json' ? findJsonFaults(this.json) : []));

	/** What the server gets; `undefined` if the JSON or the form can't be read. */
	readonly value: Document | undefined = $derived.by(() => {
		if (this.#tab !== 'json') return this.#shape.fault?.(this.form) ? undefined : this.#written();
		try {
			const value: unknown = JSON.parse(this.json);
			return isObject(value) ? value : undefined;
		} catch {
			return undefined;
		}
	});

	/** Whether it differs from what is saved. */
	readonly isChanged: boolean = $derived.by(() => contentOf(this.value) !== this.#savedText);

	/** All problems: of the JSON, of the last save, and of the check. */
	readonly problems: Problem[] = $derived.by(() => {
		const notObject: Problem = { code: 'wrong-type', severity: 'error', pointer: '', message: 'the document must be an object: write it in `{` and `}`' };
		const shapeless = this.#tab === 'json' && this.value === undefined && this.faults.length === 0 ? [notObject] : [];
		return mergeProblems(this.faults, shapeless, this.value === undefined ? [] : this.#checked);
	});

	/** The open tab. */
	get tab(): string {
		return this.#tab;
	}

	/** Opens a tab, with what was entered in the other one. Stays if that can't be read. */
	set tab(next: string) {
		const { value } = this;
		if (next === this.#tab) return;
		if (next === 'json' || this.#tab === 'json') {
			if (value === undefined) return;
			this.#document = value;
			if (next === 'json') this.json = formatJson(value);
			else this.form = this.#read();
		}
		this.#tab = next;
	}

	/** The error at a field: what the server said, else what the check found. */
	errorAt(pointer: string): string | undefined {
		const refused = problemsOfError(this.submission.problem, '').find((problem) => problem.pointer === pointer);
		const found = this.#checked.find((problem) => problem.pointer === pointer && problem.severity === 'error' && this.isBlamed(problem));
		return refused?.message ?? found?.message;
	}

	/** Whether a problem is shown in the form: a field that is still empty is not blamed for it before a save was refused. */
	isBlamed({ code, pointer }: Problem): boolean {
		return this.submission.problem !== null || (code !== 'missing-field' && valueAt(this.value, pointer) !== '');
	}

	/** Checks the document. Results of earlier calls are discarded. */
	async check(find: DocumentCheck): Promise<void> {
		const turn = ++this.#turn;
		const { value } = this;
		const found = value === undefined ? [] : await find(this.saved ? { ...value, id: this.saved.id } : value);
		if (turn === this.#turn) this.#checked = found;
	}

	/** Applies fixes to the form. Those of the JSON tab are applied by its editor. */
	fix(fixes: readonly Fix[]): void {
		if (this.value === undefined) return;
		const before = formatJson(this.value);
		const after = applyFixes(before, fixes).reduce<string>((text, group) => applyTextChanges(text, group), before);
		this.#document = JSON.parse(after) as Document;
		this.form = this.#read();
	}

	/** Saves the document, unless another version was saved since it was opened. It can be edited on. */
	async save(documents: Documents<T>): Promise<T> {
		const { value } = this;
		const { data, etag } = this.saved ? await documents.replace(this.saved.id, value, this.#etag) : await documents.create(value);
		[this.saved, this.#etag] = [data, etag];
		this.#savedText = contentOf(value);
		return data;
	}

	#read(): F {
		return this.#shape.read(this.saved ? { ...this.#document, id: this.saved.id } : this.#document);
	}

	/** The document as the form has it. The id of a saved document is in its address. */
	#written(): Document {
		const { id, ...rest } = this.#shape.write(this.#document, this.form);
		return this.saved || id === undefined ? rest : { id, ...rest };
	}
}

/** The text of a document without its id, which a saved one has in its address. */
const contentOf = (value: Document | undefined) => JSON.stringify({ ...value, id: undefined });

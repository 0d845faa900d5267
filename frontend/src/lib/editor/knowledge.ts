import type { Path, Schema } from './schema.ts';

/** A place in a document, for which something is looked up. */
export interface Place {
	path: Path;
	/** Formats that the schema names for the place. */
	formats: readonly string[];
	/** The document, as far as it can be read. */
	document: unknown;
}

/** A value or a key that is suggested. */
export interface Suggestion {
	/** Text in the list, which is also searched. */
	label: string;
	/** A few words beside it. */
	detail?: string;
	/** Explanation. */
	info?: string;
	/** The value, or the value of the key. */
	value: unknown;
}

/** A part of a string that is suggested. */
export interface TextSuggestion {
	label: string;
	detail?: string;
	info?: string;
	/** Text that replaces the part. */
	insert: string;
}

/** Parts that are suggested, and the start of the part that they replace. */
export interface PartSuggestions {
	from: number;
	suggestions: TextSuggestion[];
}

/** What is known about a kind of document beyond its schema: names of other documents, steps, secrets. */
export interface Knowledge {
	/** Schema of the whole text. */
	schema: Schema;
	/** Values for a place. */
	values: (place: Place) => Suggestion[];
	/** Keys for an object, with their first values. */
	keys: (place: Place) => Suggestion[];
	/** Parts of a string's value at an offset: of an expression, or of a template. */
	parts: (place: Place, value: string, offset: number) => PartSuggestions | null | Promise<PartSuggestions | null>;
	/** Explains a value, or the part of a string at an offset, in Markdown; null if nothing is known. */
	explain: (place: Place, value: unknown, offset: number | null) => string | null;
}

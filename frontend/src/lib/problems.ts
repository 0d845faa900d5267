/** A finding about a document, as the editor and the lists show it. */
export interface Problem {
	/** How much it matters. */
	severity: 'error' | 'warning' | 'hint';
	/** Where, as a JSON Pointer into the text that is shown. */
	pointer: string;
	/** What is wrong, with the way out where one is known. */
	message: string;
	/** The place inside the string at the pointer, counted from 1. */
	span?: { line: number; column: number } | null;
}

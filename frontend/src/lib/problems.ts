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
	/** A certain mend: the value to put at a pointer, and the words for its button. */
	fix?: { label: string; pointer: string; value: unknown } | null;
}

/** All findings, each once, errors first and otherwise in the order given. */
export function merge(...lists: (readonly Problem[])[]): Problem[] {
	const unique = new Map<string, Problem>();
	for (const problem of lists.flat()) {
		const key = JSON.stringify([problem.severity, problem.pointer, problem.message]);
		if (!unique.has(key)) unique.set(key, problem);
	}
	const weight = { error: 0, warning: 1, hint: 2 };
	return [...unique.values()].sort((a, b) => weight[a.severity] - weight[b.severity]);
}

/** A message in pieces: what stands between backticks is code. A backtick without its partner is plain text. */
export function quoted(message: string): { text: string; code: boolean }[] {
	const pieces = message.split(/`([^`]+)`/);
	return pieces.map((text, index) => ({ text, code: index % 2 === 1 })).filter(({ text }) => text !== '');
}

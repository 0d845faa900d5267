import type { TextChange } from '#lib/editor/json-edit.ts';
import type { Range } from '#lib/editor/pointers.ts';

/** A safe fix, with the label of its button: the value to set at a pointer, the new name of the property at a pointer, or changes of the text. */
export type Fix = { label: string } & ({ pointer: string; value: unknown } | { pointer: string; name: string } | { changes: readonly TextChange[] });

/** A problem in a document, as shown in the editor and in lists. */
export interface Problem {
	/** Stable code of the kind of problem, in kebab case. */
	code?: string;
	/** Severity of the problem. */
	severity: 'error' | 'warning' | 'hint';
	/** JSON Pointer into the edited text. */
	pointer: string;
	/** What is wrong, and how to fix it if known. */
	message: string;
	/** Position inside the string at the pointer, counted from 1. */
	span?: { line: number; column: number } | null;
	/** Its place in the text, if the pointer does not name it: that of a fault of the JSON itself. */
	range?: Range;
	/** A safe fix. */
	fix?: Fix | null;
}

/** Merges problems without duplicates, errors first, otherwise in the given order. */
export function mergeProblems(...lists: (readonly Problem[])[]): Problem[] {
	const unique = new Map<string, Problem>();
	for (const problem of lists.flat()) {
		const key = JSON.stringify([problem.severity, problem.pointer, problem.message]);
		if (!unique.has(key)) unique.set(key, problem);
	}
	const weight = { error: 0, warning: 1, hint: 2 };
	return [...unique.values()].sort((a, b) => weight[a.severity] - weight[b.severity]);
}

/** Problems of a severity whose message, code or place contains all words of a search. */
export function filterProblems(problems: readonly Problem[], severity: 'all' | Problem['severity'], search: string): Problem[] {
	const words = search.toLowerCase().split(/\s+/).filter(Boolean);
	return problems.filter((problem) => {
		const text = `${problem.message} ${problem.code ?? ''} ${problem.pointer}`.toLowerCase();
		return (severity === 'all' || problem.severity === severity) && words.every((word) => text.includes(word));
	});
}

/** Splits a message into plain text and code between backticks. An unmatched backtick is plain text. */
export function splitCode(message: string): { text: string; code: boolean }[] {
	const pieces = message.split(/`([^`]+)`/);
	return pieces.map((text, index) => ({ text, code: index % 2 === 1 })).filter(({ text }) => text !== '');
}

/** The name of the secret that a finding misses; `undefined` if it is about something else. */
export function missingSecretOf({ code, message }: Pick<Problem, 'code' | 'message'>): string | undefined {
	return code === 'unresolved-secret' ? /`([A-Za-z_][A-Za-z0-9_]*)`/.exec(message)?.[1] : undefined;
}

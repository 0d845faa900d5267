import { KINDS } from '#lib/kinds.ts';

/** Matches the words of the kinds of documents. */
export function match(word: string): word is keyof typeof KINDS {
	return Object.hasOwn(KINDS, word);
}

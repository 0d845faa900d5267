/** What other languages call a JSON literal. */
const LITERALS: Readonly<Record<string, string>> = { true: 'true', false: 'false', null: 'null', none: 'null', undefined: 'null', nil: 'null', nan: 'null', infinity: 'null' };

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** Says what is wrong with a word where a value is expected, and what to write instead if that is certain; null if it is valid. */
export function describeWord(word: string): { message: string; fix?: string } | null {
	if (word === 'true' || word === 'false' || word === 'null' || NUMBER.test(word)) return null;
	const literal = LITERALS[word.toLowerCase()];
	if (literal !== undefined) return { message: `\`${word}\` is not JSON: write \`${literal}\``, fix: literal };
	if (/^[+-]?[.\d]/.test(word)) {
		const number = word.replace(/^\+/, '').replace(/^(-?)0+(?=\d)/, '$1').replace(/^(-?)\./, '$10.').replace(/\.$/, '').replaceAll('_', '');
		return NUMBER.test(number) ? { message: `\`${word}\` is not a JSON number: write \`${number}\``, fix: number } : { message: `\`${word}\` is not a number: write text in double quotes` };
	}
	return { message: `\`${word}\` needs double quotes`, fix: quoteWord(word) };
}

/** A word as a JSON string. */
export function quoteWord(word: string): string {
	return JSON.stringify(word);
}

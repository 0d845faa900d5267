import { formatPointer } from '#lib/pointer.ts';
import type { Problem } from '#lib/problems.ts';
import type { TextChange } from './json-edit.ts';
import { CLOSING, isWordCharacter, JsonScanner } from './json-scanner.ts';
import { describeWord, quoteWord } from './json-words.ts';

/** Most faults that are reported. Later ones are often consequences of earlier ones. */
const MAX_FAULTS = 20;

/** How deep brackets can be nested. Source: the limit of the server's parser. */
const MAX_DEPTH = 128;

/** A change of text with the label of its button. */
interface TextFix {
	label: string;
	changes: TextChange[];
}

/** An object or array that is being read, with the keys found so far. */
interface Container {
	open: '{' | '[';
	from: number;
	keys: Map<string, { from: number; end: number }>;
}

/**
 * Finds what keeps a text from being JSON, and keys that an object has twice. Unlike a parser, it goes on behind a
 * fault. The result is empty for valid JSON without duplicate keys.
 */
export function findJsonFaults(text: string): Problem[] {
	return new FaultFinder(text).find();
}

/** Whether a text with these faults can be read. Duplicate keys don't prevent it. */
export function isReadable(faults: readonly Problem[]): boolean {
	return faults.every(({ code }) => code !== 'malformed-json');
}

class FaultFinder extends JsonScanner {
	readonly #faults: Problem[] = [];
	readonly #path: (string | number)[] = [];
	/** Brackets that are still open, outermost first. */
	readonly #open: Container[] = [];

	find(): Problem[] {
		this.#skip();
		if (this.atEnd) this.#report(0, 0, 'the text is empty: a document starts with `{`');
		else this.#readValue();
		this.#skip();
		while (!this.atEnd && this.#faults.length < MAX_FAULTS) {
			const from = this.at;
			this.at = this.text.trimEnd().length;
			this.#report(from, this.at, 'unexpected text behind the end of the document: remove it, or check the brackets before it', {
				label: 'Remove it',
				changes: [{ from, to: this.at, insert: '' }]
			});
			this.at = this.text.length;
		}
		return this.#faults;
	}

	#report(from: number, to: number, message: string, fix?: TextFix, code = 'malformed-json'): void {
		if (this.#faults.length >= MAX_FAULTS) return;
		const end = Math.min(Math.max(to, from + 1), this.text.length);
		const range = { from: Math.min(from, Math.max(0, end - 1)), to: end };
		this.#faults.push({ code, severity: 'error', pointer: formatPointer(this.#path), message, range, fix: fix ?? null });
	}

	/** Skips space, and reports comments. */
	#skip(): void {
		for (const { from, to } of this.skipSpace()) {
			const isLine = this.text.startsWith('//', from) || this.text[from] === '#';
			// A comment that has its lines for itself is removed with its line break.
			const before = /(?:^|\n)[ \t]*$/.exec(this.text.slice(0, from));
			const start = before && (isLine || /^[ \t]*(?:\n|$)/.test(this.text.slice(to))) ? Math.max(0, from - before[0].length) : from;
			this.#report(from, to, 'JSON has no comments: remove it, or put it into a `summary` or `description`', {
				label: 'Remove the comment',
				changes: [{ from: start, to, insert: '' }]
			});
		}
	}

	/** Reads a value; reports that there is none if a delimiter comes first. */
	#readValue(): void {
		const from = this.at;
		const character = this.current;
		if (character === '{') this.#readObject();
		else if (character === '[') this.#readArray();
		else if (character === '"') this.#readString();
		else if (character === "'" || character === '`') this.#readQuoted();
		else if (isWordCharacter(character)) this.#readWord();
		else {
			this.at++;
			this.#report(from, this.at, `unexpected \`${character}\``, { label: 'Remove it', changes: [{ from, to: this.at, insert: '' }] });
		}
	}

	#readWord(): void {
		const from = this.at;
		const word = this.readWord();
		const found = describeWord(word);
		if (!found) return;
		this.#report(from, this.at, found.message, found.fix === undefined ? undefined : { label: `Write \`${found.fix}\``, changes: [{ from, to: this.at, insert: found.fix }] });
	}

	/** Reads a string in other quotes. */
	#readQuoted(): string {
		const from = this.at;
		const content = this.readQuoted(this.current);
		if (content === null) {
			this.#report(from, this.at, 'the string is not closed: write strings in double quotes');
			return '';
		}
		this.#report(from, this.at, 'strings need double quotes', { label: 'Use double quotes', changes: [{ from, to: this.at, insert: JSON.stringify(content) }] });
		return content;
	}

	#readString(): string {
		const from = this.at;
		const { closed, faults } = this.readString();
		if (closed && faults.length === 0) return this.stringValue(from, this.at);
		for (const { at, length } of faults) {
			const found = this.text.slice(at, at + length);
			if (found.startsWith('\\')) {
				this.#report(at, at + length, `\`${found}\` is not an escape: write \`\\\\\` for a backslash`, { label: 'Escape the backslash', changes: [{ from: at, to: at, insert: '\\' }] });
			} else {
				const escaped = JSON.stringify(found).slice(1, -1);
				this.#report(at, at + length, `this character must be written as \`${escaped}\` in a string`, { label: `Write \`${escaped}\``, changes: [{ from: at, to: at + length, insert: escaped }] });
			}
		}
		if (!closed) {
			// A comma or bracket at the end of the line is more likely to follow the string than to belong to it.
			const tail = /[\s,}\]]*$/.exec(this.text.slice(from + 1, this.at))?.[0] ?? '';
			const end = this.at - tail.length;
			this.#report(from, end, 'the string is not closed: `"` is missing at its end', { label: 'Close the string', changes: [{ from: end, to: end, insert: '"' }] });
			this.at = end;
		}
		return this.stringValue(from, this.at);
	}

	#readArray(): void {
		this.#enter('[');
		let index = 0;
		this.#readItems(() => {
			this.#path.push(index++);
			this.#readValue();
			this.#path.pop();
		});
	}

	#readObject(): void {
		const object = this.#enter('{');
		this.#readItems(() => this.#readProperty(object));
	}

	#enter(open: '{' | '['): Container {
		if (this.#open.length === MAX_DEPTH) {
			this.#report(this.at, this.at + 1, `brackets are nested deeper than ${MAX_DEPTH} levels`);
			this.at = this.text.length;
		}
		const container = { open, from: this.at, keys: new Map() };
		this.#open.push(container);
		this.at++;
		return container;
	}

	/** Reads the elements or properties of the innermost container up to its closing bracket, with the commas between them. */
	#readItems(readItem: () => void): void {
		const container = this.#open.at(-1)!;
		/** The comma before the place; null if there is none. */
		let comma: number | null = null;
		/** The end of the last item; null before the first. */
		let end: number | null = null;
		for (;;) {
			this.#skip();
			const { at, current } = this;
			if (this.atEnd || this.#faults.length >= MAX_FAULTS) return this.#closeAtEnd();
			if (current === '}' || current === ']') {
				if (comma !== null) this.#reportComma(comma, `a comma must not stand before \`${current}\``);
				return this.#close(container, current);
			}
			if (current === ',') {
				this.at++;
				if (comma !== null || end === null) this.#reportComma(at, 'unexpected comma');
				else comma = at;
				continue;
			}
			if (end !== null && comma === null) {
				this.#report(at, at + 1, 'a comma is missing before this', { label: 'Insert a comma', changes: [{ from: end, to: end, insert: ',' }] });
			}
			readItem();
			[end, comma] = [this.at, null];
		}
	}

	#reportComma(at: number, message: string): void {
		this.#report(at, at + 1, `${message}: remove it`, { label: 'Remove the comma', changes: [{ from: at, to: at + 1, insert: '' }] });
	}

	#close(container: Container, found: string): void {
		const expected = CLOSING[container.open];
		if (found === expected) {
			this.at++;
		} else if (this.#open.some(({ open }) => CLOSING[open] === found)) {
			// An outer bracket is closed here: the one in between is not closed.
			this.#reportUnclosed(container, this.at, expected);
		} else {
			const from = this.at++;
			this.#report(from, this.at, `\`${found}\` found, but \`${container.open}\` in line ${this.lineAt(container.from)} is closed by \`${expected}\``, {
				label: `Write \`${expected}\``,
				changes: [{ from, to: this.at, insert: expected }]
			});
		}
		this.#open.pop();
	}

	#reportUnclosed(container: Container, at: number, missing: string): void {
		const end = this.text.slice(0, at).trimEnd().length;
		this.#report(container.from, container.from + 1, `this \`${container.open}\` is not closed: \`${missing}\` is missing`, {
			label: `Insert \`${missing}\``,
			changes: [{ from: end, to: end, insert: missing }]
		});
	}

	/** Closes all open brackets at the end of the text, with one fault for all of them. */
	#closeAtEnd(): void {
		const inner = this.#open.at(-1);
		if (inner && this.atEnd) {
			const missing = this.#open.map(({ open }) => CLOSING[open]).reverse().join('');
			this.#reportUnclosed(inner, this.text.length, missing);
		}
		this.#open.length = 0;
		this.at = this.text.length;
	}

	#readProperty(object: Container): void {
		const from = this.at;
		const key = this.#readKey();
		if (key === null) return;
		const keyEnd = this.at;
		this.#path.push(key);
		this.#noteDuplicate(object, key, from, keyEnd);
		this.#skip();
		if (this.current === ':') {
			this.at++;
			this.#skip();
		} else if (this.current === '=') {
			const at = this.at++;
			this.#report(at, at + 1, 'a colon must stand between a key and its value', { label: 'Write `:`', changes: [{ from: at, to: at + 1, insert: ':' }] });
			this.#skip();
		} else {
			this.#report(from, keyEnd, `a colon is missing behind \`${key}\``, { label: 'Insert a colon', changes: [{ from: keyEnd, to: keyEnd, insert: ':' }] });
		}
		if (this.atEnd || ',}]'.includes(this.current)) {
			if (this.text.slice(keyEnd, this.at).includes(':')) this.#report(from, keyEnd, `\`${key}\` has no value: write one behind the colon`);
		} else {
			this.#readValue();
		}
		const known = object.keys.get(key);
		if (known) known.end = this.at;
		this.#path.pop();
	}

	#readKey(): string | null {
		const { at, current } = this;
		if (current === '"') return this.#readString();
		if (current === "'" || current === '`') return this.#readQuoted();
		if (current === '{' || current === '[' || !isWordCharacter(current)) {
			this.#report(at, at + 1, `a key in double quotes is expected here, not \`${current}\``);
			this.#readValue();
			return null;
		}
		const word = this.readWord();
		const insert = quoteWord(word);
		this.#report(at, this.at, `the key \`${word}\` needs double quotes`, { label: `Write \`${insert}\``, changes: [{ from: at, to: this.at, insert }] });
		return word;
	}

	#noteDuplicate(object: Container, key: string, from: number, keyEnd: number): void {
		const first = object.keys.get(key);
		if (first) {
			const message = `duplicate key \`${key}\`: the value in line ${this.lineAt(first.from)} is ignored, the one in line ${this.lineAt(from)} is used`;
			const gap = /^\s*,\s*/.exec(this.text.slice(first.end))?.[0] ?? '';
			const fix = gap ? { label: 'Remove the ignored one', changes: [{ from: first.from, to: first.end + gap.length, insert: '' }] } : undefined;
			this.#report(from, keyEnd, message, fix, 'duplicate-key');
		}
		object.keys.set(key, { from, end: keyEnd });
	}
}

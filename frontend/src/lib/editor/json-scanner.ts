import type { Range } from './pointers.ts';

/** The closing bracket of each opening one. */
export const CLOSING = { '{': '}', '[': ']' } as const;

/** A fault inside a string. */
export interface StringFault {
	at: number;
	length: number;
}

const SPACE = /[\s\ufeff]*/y;
const NONE: readonly Range[] = [];
const COMMENT = /\/\/[^\n]*|#[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/y;
const WORD = /[^\s,:{}[\]"'`]+/y;
/** The part of a string up to a quote, a fault or the end of the line. */
const STRING_PART = /(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*/y;

const SIMPLE = { closed: true, faults: [] } as const;

/** Whether a character can be part of a number, a literal or a name without quotes. */
export function isWordCharacter(character: string): boolean {
	return character !== '' && !/[\s,:{}[\]"'`=]/.test(character);
}

/** Reads the tokens of a text that may not be valid JSON. */
export class JsonScanner {
	/** Position of the next character. */
	at = 0;

	/** The text that is read. */
	readonly text: string;

	constructor(text: string) {
		this.text = text;
	}

	/** Whether everything was read. */
	get atEnd(): boolean {
		return this.at >= this.text.length;
	}

	/** The next character; empty at the end. */
	get current(): string {
		return this.text[this.at] ?? '';
	}

	/** Number of the line of a position, from 1. */
	lineAt(position: number): number {
		return this.text.slice(0, position).split('\n').length;
	}

	/** Skips space and comments. Returns the comments. */
	skipSpace(): readonly Range[] {
		this.#skipBlanks();
		if (this.text[this.at] !== '/' && this.text[this.at] !== '#') return NONE;
		const comments: Range[] = [];
		for (;;) {
			this.#skipBlanks();
			const from = this.at;
			const next = this.current;
			if ((next !== '/' && next !== '#') || this.#match(COMMENT) === '') return comments;
			comments.push({ from, to: this.at });
		}
	}

	/** Reads a word: a number, a literal, or a name without quotes. */
	readWord(): string {
		return this.#match(WORD) || this.text.slice(this.at, ++this.at);
	}

	/** Reads a string in double quotes up to its end or the end of its line. */
	readString(): { closed: boolean; faults: readonly StringFault[] } {
		if (this.#skipSimpleString()) return SIMPLE;
		const faults: StringFault[] = [];
		this.at++;
		for (;;) {
			this.#match(STRING_PART);
			const next = this.current;
			if (next === '"') {
				this.at++;
				return { closed: true, faults };
			}
			if (next === '' || next === '\n' || next === '\r') return { closed: false, faults };
			const length = next === '\\' && this.at + 1 < this.text.length && this.text[this.at + 1] !== '\n' ? 2 : 1;
			faults.push({ at: this.at, length });
			this.at += length;
		}
	}

	/** Reads a string in other quotes. Returns its content; null if it isn't closed in its line. */
	readQuoted(quote: string): string | null {
		const pattern = new RegExp(`${quote}((?:[^${quote}\\\\\\n]|\\\\.)*)${quote}`, 'y');
		pattern.lastIndex = this.at;
		const found = pattern.exec(this.text);
		if (!found) {
			this.at = this.#endOfLine();
			return null;
		}
		this.at = pattern.lastIndex;
		return (found[1] ?? '').replace(/\\(['`])/g, '$1');
	}

	/** The value of a string literal. One with faults is read as it stands. */
	stringValue(from: number, to: number): string {
		const raw = this.text.slice(from, to);
		if (!raw.includes('\\') && raw.length > 1 && raw.endsWith('"')) return raw.slice(1, -1);
		try {
			return JSON.parse(raw) as string;
		} catch {
			return raw.replace(/^"|"$/g, '');
		}
	}

	/** Skips a value without noting what is in it. An unexpected character is skipped too. */
	skipValue(): void {
		const character = this.current;
		if (character === '"') this.readString();
		else if (isWordCharacter(character)) this.readWord();
		else {
			this.at++;
			if (character === '{' || character === '[') this.skipInner();
		}
	}

	/** Skips the rest of an object or array, with its closing bracket. */
	skipInner(): void {
		for (let depth = 1; depth > 0 && !this.atEnd; ) {
			const code = this.text.charCodeAt(this.at);
			if (code === 34) {
				this.readString();
				continue;
			}
			// `[` and `{`, `]` and `}`.
			if (code === 91 || code === 123) depth++;
			else if (code === 93 || code === 125) depth--;
			this.at++;
		}
	}

	/** Skips a string without escapes and control characters, as most are. Returns whether there is one. */
	#skipSimpleString(): boolean {
		for (let at = this.at + 1; at < this.text.length; at++) {
			const code = this.text.charCodeAt(at);
			if (code === 92 || code < 32) return false;
			if (code !== 34) continue;
			this.at = at + 1;
			return true;
		}
		return false;
	}

	#skipBlanks(): void {
		// Most of it is plain spaces and line breaks, which need no pattern.
		for (;;) {
			const code = this.text.charCodeAt(this.at);
			if (code !== 32 && code !== 10 && code !== 13 && code !== 9) break;
			this.at++;
		}
		if (this.text.charCodeAt(this.at) > 127) this.#match(SPACE);
	}

	#endOfLine(): number {
		const end = this.text.indexOf('\n', this.at);
		return end < 0 ? this.text.length : end;
	}

	#match(pattern: RegExp): string {
		pattern.lastIndex = this.at;
		const found = pattern.exec(this.text)?.[0] ?? '';
		this.at += found.length;
		return found;
	}
}

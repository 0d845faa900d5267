import type { Range } from './pointers.ts';
import { isWordCharacter, JsonScanner } from './json-scanner.ts';

/** Where the cursor is in a JSON text, which need not be valid. */
export interface Cursor {
	/** Whether a key or a value belongs here. */
	kind: 'key' | 'value';
	/** Path of the value; of the object around it for a key. */
	path: (string | number)[];
	/** The token at the cursor, with its quotes; empty between tokens. */
	token: Range;
	/** The content of the string at the cursor, without quotes; null if there is no string. */
	string: Range | null;
	/** Where a comma is missing before the place; null if none is. */
	comma: number | null;
	/** The first character behind the token that is no space. */
	next: string;
	/** The bracket around the place, if nothing else stands before the token in it. */
	isFirst: boolean;
}

interface Frame {
	kind: 'object' | 'array';
	/** The current key or index. */
	at: string | number;
	/** What comes next. */
	expect: 'key' | 'colon' | 'value' | 'comma';
	/** End of the last item; null before the first. */
	end: number | null;
}

/** Finds out where a position is; null if nothing can be written there: behind the document. */
export function cursorAt(text: string, position: number): Cursor | null {
	const scanner = new JsonScanner(text);
	const frames: Frame[] = [];
	let isDone = false;
	for (;;) {
		const start = scanner.at;
		const isInComment = scanner.skipSpace().some(({ from, to }) => from < position && position <= to);
		if (isInComment) return null;
		const from = scanner.at;
		const frame = frames.at(-1);
		// Between tokens, or directly before one.
		if (position <= from || scanner.atEnd) {
			if (position < start || isDone) return null;
			return place(text, frames, { from: position, to: position }, null);
		}
		const character = scanner.current;
		if (character === '"') {
			const { closed } = scanner.readString();
			const to = scanner.at;
			if (position < to || (!closed && position === to)) return place(text, frames, { from, to }, { from: from + 1, to: closed ? to - 1 : to });
			accept(frame, to, scanner.stringValue(from, to));
			isDone ||= !frame;
		} else if (character === '{' || character === '[') {
			scanner.at++;
			frames.push({ kind: character === '{' ? 'object' : 'array', at: character === '{' ? '' : 0, expect: character === '{' ? 'key' : 'value', end: null });
		} else if (character === '}' || character === ']') {
			scanner.at++;
			frames.pop();
			accept(frames.at(-1), scanner.at, '');
			isDone ||= frames.length === 0;
		} else if (character === ',') {
			scanner.at++;
			if (frame?.kind === 'array') [frame.at, frame.expect] = [Number(frame.at) + 1, 'value'];
			else if (frame) frame.expect = 'key';
		} else if (character === ':') {
			scanner.at++;
			if (frame) frame.expect = 'value';
		} else {
			if (isWordCharacter(character)) scanner.readWord();
			else scanner.at++;
			const to = scanner.at;
			if (position <= to) return place(text, frames, { from, to }, null);
			accept(frame, to, text.slice(from, to));
			isDone ||= !frame;
		}
	}
}

/** Notes that a token was read: a key, or a value. */
function accept(frame: Frame | undefined, end: number, token: string): void {
	if (!frame) return;
	if (frame.kind === 'object' && (frame.expect === 'key' || (frame.expect === 'comma' && frame.end !== null && token !== ''))) {
		[frame.at, frame.expect] = [token, 'colon'];
	} else {
		[frame.expect, frame.end] = ['comma', end];
	}
}

function place(text: string, frames: readonly Frame[], token: Range, string: Range | null): Cursor | null {
	const frame = frames.at(-1);
	const outer = frames.slice(0, -1).map(({ at }) => at);
	const next = /\S/.exec(text.slice(token.to))?.[0] ?? '';
	if (!frame) return { kind: 'value', path: [], token, string, comma: null, next, isFirst: true };
	if (frame.expect === 'colon') return null;
	const comma = frame.expect === 'comma' ? frame.end : null;
	const shared = { token, string, comma, next, isFirst: frame.end === null };
	if (frame.kind === 'array') return { kind: 'value', path: [...outer, Number(frame.at) + (comma === null ? 0 : 1)], ...shared };
	if (frame.expect === 'value') return { kind: 'value', path: [...outer, frame.at], ...shared };
	return { kind: 'key', path: outer, ...shared };
}

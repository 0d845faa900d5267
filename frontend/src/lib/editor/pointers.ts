import { formatPointer, parsePointer } from '#lib/pointer.ts';
import { isWordCharacter, JsonScanner } from './json-scanner.ts';

/** A range of text, in UTF-16 code units. */
export interface Range {
	from: number;
	to: number;
}

/**
 * Finds the range of a JSON Pointer in JSON text: a property name, a value or an element. If it does not exist (for
 * example a missing field), returns the nearest enclosing property name or opening bracket.
 */
export function findRange(text: string, pointer: string): Range {
	return findRanges(text, [pointer])[0]!;
}

/** Finds the ranges of JSON Pointers as `findRange` does, reading the text once. The text need not be valid JSON. */
export function findRanges(text: string, pointers: readonly string[]): Range[] {
	const root: Place = { range: null, head: null, inner: new Map() };
	const paths = pointers.map((pointer) => {
		const path = [root];
		for (const token of parsePointer(pointer)) {
			const { inner } = path.at(-1)!;
			if (!inner.has(token)) inner.set(token, { range: null, head: null, inner: new Map() });
			path.push(inner.get(token)!);
		}
		return path;
	});
	if (pointers.length > 0) new RangeFinder(text).find(root);
	return paths.map((path) => path.at(-1)!.range ?? path.findLast(({ head }) => head !== null)?.head ?? { from: 0, to: Math.min(1, text.length) });
}

/** A place that is looked for, with those inside it by key or index. */
interface Place {
	/** What is marked for it; null until it is found. */
	range: Range | null;
	/** What is marked for something that is missing in it: the name of its property, or its opening bracket. */
	head: Range | null;
	inner: Map<string, Place>;
}

class RangeFinder extends JsonScanner {
	/** Notes the ranges of a place and of those inside it. */
	find(root: Place): void {
		this.skipSpace();
		if (!this.atEnd) this.#readValue(root, null);
	}

	/** Reads a value; `name` is the range of its property's name, which is marked instead of a whole object or array. */
	#readValue(place: Place | undefined, name: Range | null): void {
		const from = this.at;
		const bracket = this.current;
		const isContainer = bracket === '{' || bracket === '[';
		if (!place) this.skipValue();
		else if (isContainer) {
			place.range = place.head = name ?? { from, to: from + 1 };
			this.at++;
			if (place.inner.size === 0) this.skipInner();
			else if (bracket === '{') this.#readObject(place);
			else this.#readArray(place);
		} else {
			this.skipValue();
			place.range = { from, to: this.at };
			place.head = name ?? place.range;
		}
	}

	#readArray({ inner }: Place): void {
		for (let index = 0; this.#skipTo(']'); ) {
			if (this.current === ',') [this.at, index] = [this.at + 1, index + 1];
			else this.#readValue(inner.get(String(index)), null);
		}
	}

	#readObject({ inner }: Place): void {
		while (this.#skipTo('}')) {
			if (this.current === '"') this.#readProperty(inner);
			else this.at++;
		}
	}

	#readProperty(inner: ReadonlyMap<string, Place>): void {
		const from = this.at;
		this.readString();
		const [name, place] = [{ from, to: this.at }, inner.get(this.stringValue(from, this.at))];
		if (place) place.range = place.head = name;
		this.skipSpace();
		if (this.current === ':') this.#skipColon();
		if (!this.atEnd && !',}'.includes(this.current)) this.#readValue(place, name);
	}

	#skipColon(): void {
		this.at++;
		this.skipSpace();
	}

	/** Skips space; returns whether something other than the closing bracket follows. The bracket is skipped. */
	#skipTo(bracket: '}' | ']'): boolean {
		this.skipSpace();
		if (this.atEnd) return false;
		if (this.current === bracket) this.at++;
		else if (this.current !== '}' && this.current !== ']') return true;
		// A bracket that closes something else ends this too.
		return false;
	}
}

/** An object or array around a position, with the property or element that was read last. */
interface Frame {
	isArray: boolean;
	/** The key or the index; null before the first, and behind a comma. */
	at: string | number | null;
	count: number;
	/** Where the property or element ends; infinite while it is read. */
	end: number;
}

/** Returns the JSON Pointer of the innermost property or element at a position in JSON text, which need not be valid. */
export function pointerAt(text: string, position: number): string {
	const scanner = new JsonScanner(text);
	const frames: Frame[] = [];
	/** Notes that a token was read, which is a value or begins one. */
	const accept = (end: number) => {
		const frame = frames.at(-1);
		if (frame?.isArray) frame.at = frame.count;
		if (frame) frame.end = end;
	};
	for (;;) {
		scanner.skipSpace();
		if (scanner.at >= position || scanner.atEnd) break;
		const [from, character, frame] = [scanner.at, scanner.current, frames.at(-1)];
		if (character === '"') {
			scanner.readString();
			if (frame && !frame.isArray && frame.at === null) [frame.at, frame.end] = [scanner.stringValue(from, scanner.at), Infinity];
			else accept(scanner.at);
		} else if (character === '{' || character === '[') {
			scanner.at++;
			accept(Infinity);
			frames.push({ isArray: character === '[', at: null, count: 0, end: Infinity });
		} else if (character === '}' || character === ']') {
			scanner.at++;
			frames.pop();
			accept(scanner.at);
		} else if (character === ',') {
			scanner.at++;
			if (frame) [frame.at, frame.count] = [null, frame.count + 1];
		} else if (isWordCharacter(character)) {
			scanner.readWord();
			accept(scanner.at);
		} else {
			scanner.at++;
		}
	}
	return formatPointer(frames.flatMap(({ at, end }) => (at === null || end < position ? [] : [at])));
}

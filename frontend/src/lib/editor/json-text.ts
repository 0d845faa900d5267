import type { Edit, Node } from 'jsonc-parser';

/*
 * Changes of JSON text that leave everything else as it is. The library's `modify` formats the whole lines that it touches, and
 * breaks an array whose bracket follows the last element at once (`[1,2]`).
 */

/** How a text is written. */
interface Style {
	/** One level of indentation. */
	indent: string;
	eol: string;
	/** Whether the text has lines at all. */
	hasLines: boolean;
}

/** Detects the indentation of a text, which is that of its first indented line, else two spaces, and its line breaks. */
function detectStyle(text: string): Style {
	// Only its start is read: an edit may ask for each of a thousand places.
	const line = text.indexOf('\n');
	return { indent: /\n([ \t]+)\S/.exec(text)?.[1] ?? '  ', eol: text[line - 1] === '\r' ? '\r\n' : '\n', hasLines: line >= 0 && line < text.trimEnd().length };
}

/** Replaces a value. */
export function replaceValue(text: string, node: Node, value: unknown): Edit {
	const style = detectStyle(text);
	const entry = node.parent?.type === 'property' ? node.parent : node;
	const isLined = entry.parent ? readGaps(text, entry.parent).some((gap) => gap.includes('\n')) : style.hasLines;
	return { offset: node.offset, length: node.length, content: isLined ? writeLines(value, style, indentAt(text, entry.offset)) : JSON.stringify(value) };
}

/** Inserts an entry into an object (with a key), or elements into an array (without one), before the entry with an index. */
export function insertEntries(text: string, container: Node, index: number, key: string | null, values: readonly unknown[]): Edit {
	const style = detectStyle(text);
	const entries = container.children ?? [];
	const gaps = readGaps(text, container);
	const lined = gaps.find((gap) => gap.includes('\n'));
	const write = (own: string | null) => {
		const name = key === null ? '' : JSON.stringify(key) + (readColon(text, entries[0]) ?? (own === null && !style.hasLines ? ':' : ': '));
		return values.map((value) => name + (own === null ? JSON.stringify(value) : writeLines(value, style, own)));
	};
	if (entries.length === 0) {
		const outer = indentAt(text, container.offset);
		const own = outer + style.indent;
		const content = style.hasLines ? `${style.eol}${own}${write(own).join(`,${style.eol}${own}`)}${style.eol}${outer}` : write(null).join(',');
		return { offset: container.offset + 1, length: container.length - 2, content };
	}
	const isLined = lined !== undefined;
	const own = isLined ? /[^\n]*$/.exec(lined)![0] : null;
	const gap = isLined ? `${style.eol}${own}` : (gaps[1] ?? (style.hasLines && readColon(text, entries[0]) !== ':' ? ' ' : ''));
	const previous = entries[index - 1];
	if (previous) return { offset: previous.offset + previous.length, length: 0, content: write(own).map((entry) => `,${gap}${entry}`).join('') };
	return { offset: entries[0]!.offset, length: 0, content: write(own).map((entry) => `${entry},${gap}`).join('') };
}

/** Removes entries of one container with their commas. */
export function removeEntries(container: Node, entries: ReadonlySet<Node>): Edit[] {
	const siblings = container.children ?? [];
	const edits: Edit[] = [];
	for (let index = 0; index < siblings.length; index++) {
		const first = siblings[index]!;
		if (!entries.has(first)) continue;
		const previous = siblings[index - 1];
		while (entries.has(siblings[index + 1]!)) index++;
		edits.push(removeRun(first, siblings[index]!, previous, siblings[index + 1]));
	}
	return edits;
}

/** Removes adjacent entries with one of the commas around them. */
function removeRun(entry: Node, last: Node, previous: Node | undefined, next: Node | undefined): Edit {
	const end = last.offset + last.length;
	const from = previous ? previous.offset + previous.length : next || !entry.parent ? entry.offset : entry.parent.offset + 1;
	const to = previous ? end : next ? next.offset : entry.parent ? entry.parent.offset + entry.parent.length - 1 : end;
	return { offset: from, length: to - from, content: '' };
}

/** The white space before each entry of a container. */
function readGaps(text: string, { offset, children = [] }: Node): string[] {
	return children.map((entry, index) => {
		const before = children[index - 1];
		const gap = text.slice(before ? before.offset + before.length : offset + 1, entry.offset);
		return gap.slice(gap.indexOf(',') + 1);
	});
}

/** What stands between the key and the value of a property. */
function readColon(text: string, property: Node | undefined): string | undefined {
	const [key, value] = property?.children ?? [];
	const colon = key && value && text.slice(key.offset + key.length, value.offset);
	return colon?.includes('\n') ? undefined : colon;
}

/** Indentation of the line that contains a position. */
function indentAt(text: string, offset: number): string {
	return /^[ \t]*/.exec(text.slice(text.lastIndexOf('\n', offset - 1) + 1))![0];
}

function writeLines(value: unknown, { indent, eol }: Style, own: string): string {
	return JSON.stringify(value, null, indent).replaceAll('\n', eol + own);
}

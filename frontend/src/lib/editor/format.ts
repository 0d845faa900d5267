import { format } from 'jsonc-parser';
import type { TextChange } from './json-edit.ts';

/** Changes that indent a JSON text, two spaces a level. The order of keys stays. Empty if the text is not JSON. */
export function formatText(text: string): TextChange[] {
	try {
		JSON.parse(text);
	} catch {
		return [];
	}
	const edits = format(text, undefined, { insertSpaces: true, tabSize: 2, eol: '\n', insertFinalNewline: text.endsWith('\n') });
	return edits.map(({ offset, length, content }) => ({ from: offset, to: offset + length, insert: content }));
}

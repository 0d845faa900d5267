import { closeBrackets, closeBracketsKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { json } from '@codemirror/lang-json';
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit } from '@codemirror/language';
import { lintGutter } from '@codemirror/lint';
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search';
import type { Extension, Text } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers, ViewPlugin } from '@codemirror/view';
import { theme } from './theme.ts';

/** The usual keys, without the one that runs the workflow. */
export const typingKeymap = defaultKeymap.filter(({ key }) => key !== 'Mod-Enter');

/** Keeps an Escape that closed something in the editor, such as its search, from closing the dialog around it too. */
export const keepHandledEscape: Extension = ViewPlugin.define((view) => {
	const keep = (event: KeyboardEvent) => {
		if (event.key === 'Escape' && event.defaultPrevented) event.stopPropagation();
	};
	view.dom.addEventListener('keydown', keep);
	return { destroy: () => view.dom.removeEventListener('keydown', keep) };
});

/** What every editor of JSON has. `label` is for screen readers. */
export function jsonSetup(label: string): Extension {
	return [
		lineNumbers(),
		foldGutter(),
		lintGutter(),
		history(),
		drawSelection(),
		indentOnInput(),
		indentUnit.of('  '),
		bracketMatching(),
		closeBrackets(),
		highlightActiveLine(),
		highlightSelectionMatches(),
		search({ top: true }),
		json(),
		theme,
		keepHandledEscape,
		EditorView.lineWrapping,
		EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
		keymap.of([...closeBracketsKeymap, ...typingKeymap, ...historyKeymap, ...searchKeymap, ...foldKeymap])
	];
}

const texts = new WeakMap<Text, string>();

/** The text of a document. The editor keeps it in lines, and joins those of a large one for milliseconds: this happens once per document. */
export function textOf(document: Text): string {
	const known = texts.get(document);
	if (known !== undefined) return known;
	const text = document.toString();
	texts.set(document, text);
	return text;
}

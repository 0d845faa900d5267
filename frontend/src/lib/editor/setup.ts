import { closeBrackets, closeBracketsKeymap } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { json } from '@codemirror/lang-json';
import { bracketMatching, ensureSyntaxTree, foldGutter, foldKeymap, indentOnInput, indentUnit, syntaxTree } from '@codemirror/language';
import { lintGutter } from '@codemirror/lint';
import { highlightSelectionMatches, search, searchKeymap } from '@codemirror/search';
import type { EditorState, Extension } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from '@codemirror/view';
import type { Tree } from '@lezer/common';
import { theme } from './theme.ts';

/** The usual keys, without the one that runs the workflow. */
export const typingKeymap = defaultKeymap.filter(({ key }) => key !== 'Mod-Enter');

/** How long the syntax tree of a text may take, in milliseconds. */
const PARSE_TIMEOUT_MS = 200;

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
		EditorView.lineWrapping,
		EditorView.contentAttributes.of({ 'aria-label': label, tabindex: '0' }),
		keymap.of([...closeBracketsKeymap, ...typingKeymap, ...historyKeymap, ...searchKeymap, ...foldKeymap])
	];
}

/** The syntax tree of the whole text, if it can be made in time. */
export function treeOf(state: EditorState): Tree {
	return ensureSyntaxTree(state, state.doc.length, PARSE_TIMEOUT_MS) ?? syntaxTree(state);
}

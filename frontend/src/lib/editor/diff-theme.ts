import { EditorView } from '@codemirror/view';

/** The look of unchanged lines that a comparison hides: the library's own is made for light pages only. */
export const diffTheme = EditorView.theme({
	'.cm-collapsedLines': { background: 'var(--color-sunken)', color: 'var(--color-muted)' },
	'.cm-collapsedLines:before': { content: '"⋯"' },
	'.cm-collapsedLines:after': { content: '"⋯"' }
});

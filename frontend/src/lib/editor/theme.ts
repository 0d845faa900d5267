import { HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { EditorView } from '@codemirror/view';
import { tags } from '@lezer/highlight';

/** Editor theme with the colours of the app, for light and dark mode. */
export const theme = [
	EditorView.theme({
		'&': { color: 'var(--color-ink)', backgroundColor: 'var(--color-surface)', fontSize: '13px', height: '100%' },
		'&.cm-focused': { outline: 'none' },
		'.cm-scroller': { fontFamily: 'var(--font-mono)', lineHeight: '1.55', overflow: 'auto' },
		'.cm-content': { padding: '8px 0', caretColor: 'var(--color-ink)' },
		'.cm-cursor': { borderLeftColor: 'var(--color-ink)' },
		'.cm-gutters': { backgroundColor: 'var(--color-surface)', color: 'var(--color-muted)', border: 'none' },
		'.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'transparent' },
		'&.cm-focused .cm-activeLine, &.cm-focused .cm-activeLineGutter': { backgroundColor: 'var(--color-sunken)' },
		'&.cm-focused .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'var(--color-accent-soft) !important' },
		'.cm-matchingBracket, &.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--color-accent-soft)', outline: 'none' },
		'.cm-foldPlaceholder': { backgroundColor: 'var(--color-sunken)', border: 'none', color: 'var(--color-muted)', padding: '0 4px' },
		'.cm-tooltip': {
			backgroundColor: 'var(--color-raised)',
			border: '1px solid var(--color-line)',
			borderRadius: '6px',
			overflow: 'hidden',
			maxWidth: 'min(36rem, 90vw)',
			boxShadow: '0 4px 16px rgb(0 0 0 / 0.15)'
		},
		'.cm-tooltip.cm-tooltip-autocomplete': { overflow: 'visible' },
		'.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--font-mono)', fontSize: '12px', maxHeight: '18em' },
		'.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '3px 10px', display: 'flex', gap: '12px', alignItems: 'baseline' },
		'.cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]': { backgroundColor: 'var(--color-accent-soft)', color: 'var(--color-ink)' },
		'.cm-completionMatchedText': { textDecoration: 'none', fontWeight: '600' },
		'.cm-completionDetail': { fontFamily: 'var(--font-sans)', fontStyle: 'normal', marginLeft: 'auto', color: 'var(--color-muted)', overflow: 'hidden', textOverflow: 'ellipsis' },
		'.cm-completionInfo.cm-tooltip': { padding: '8px 10px', fontFamily: 'var(--font-sans)', fontSize: '12px', maxHeight: '18em', overflow: 'auto' },
		'.cm-diagnostic': { padding: '6px 10px', fontFamily: 'var(--font-sans)' },
		'.cm-diagnostic-error': { borderLeftColor: 'var(--color-bad)' },
		'.cm-diagnostic-warning': { borderLeftColor: 'var(--color-warn)' },
		'.cm-diagnostic-hint': { borderLeftColor: 'var(--color-busy)' },
		'.cm-lintRange': { backgroundImage: 'none', paddingBottom: '1px' },
		'.cm-lintRange-error': { textDecoration: 'underline wavy var(--color-bad) 1px', textUnderlineOffset: '3px' },
		'.cm-lintRange-warning': { textDecoration: 'underline wavy var(--color-warn) 1px', textUnderlineOffset: '3px' },
		'.cm-lintRange-hint': { textDecoration: 'underline dotted var(--color-busy) 1px', textUnderlineOffset: '3px' }
	}),
	syntaxHighlighting(
		HighlightStyle.define([
			{ tag: tags.propertyName, color: 'var(--color-accent)' },
			{ tag: tags.string, color: 'var(--color-ok)' },
			{ tag: [tags.number, tags.bool, tags.null], color: 'var(--color-busy)' },
			{ tag: [tags.punctuation, tags.separator, tags.bracket], color: 'var(--color-muted)' }
		])
	)
];

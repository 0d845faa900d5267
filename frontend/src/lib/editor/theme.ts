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
		'.cm-panels': { backgroundColor: 'var(--color-raised)', color: 'var(--color-ink)' },
		'.cm-panels-top': { borderBottom: '1px solid var(--color-line)' },
		'.cm-panel.cm-search': { display: 'flex', flexWrap: 'wrap', gap: '6px', alignItems: 'center', padding: '8px 36px 8px 10px', fontFamily: 'var(--font-sans)', fontSize: '12px' },
		'.cm-panel.cm-search br': { display: 'none' },
		'.cm-panel.cm-search label': { display: 'inline-flex', gap: '4px', alignItems: 'center', minHeight: '24px', margin: '0', fontSize: '12px' },
		'.cm-panel.cm-search .cm-textfield': { margin: '0', padding: '4px 8px', minHeight: '28px', fontSize: '12px', color: 'var(--color-ink)', backgroundColor: 'var(--color-surface)', border: '1px solid var(--color-line)', borderRadius: '6px' },
		'.cm-panel.cm-search .cm-button': { margin: '0', padding: '4px 10px', minHeight: '28px', fontSize: '12px', color: 'var(--color-ink)', background: 'var(--color-surface)', border: '1px solid var(--color-line)', borderRadius: '6px' },
		'.cm-panel.cm-search .cm-button:hover': { background: 'var(--color-sunken)' },
		'.cm-panel.cm-search [name=close]': { top: '6px', right: '6px', width: '28px', height: '28px', borderRadius: '6px', color: 'var(--color-muted)', cursor: 'pointer' },
		'.cm-searchMatch': { backgroundColor: 'var(--color-warn-soft)' },
		'.cm-searchMatch-selected': { backgroundColor: 'var(--color-accent-soft)', outline: '1px solid var(--color-accent)' },
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

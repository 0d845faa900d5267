import { closeCompletion } from '@codemirror/autocomplete';
import { linter } from '@codemirror/lint';
import { StateEffect, StateField, type EditorState, type Extension } from '@codemirror/state';
import { closeHoverTooltips, EditorView, hoverTooltip, showTooltip, type KeyBinding, type Tooltip } from '@codemirror/view';
import { mount, unmount } from 'svelte';
import HoverCard from '#lib/components/editor/HoverCard.svelte';
import type { Problem } from '#lib/problems.ts';
import { explainJson } from './hover.ts';
import type { Knowledge } from './knowledge.ts';
import { fixProblems, placeProblems } from './marks.ts';

/** What cards are about. */
export interface CardSources {
	knowledge: () => Knowledge | undefined;
	problems: () => readonly Problem[];
}

/** How long the mouse rests on a place before its card is shown, in milliseconds. */
const HOVER_DELAY_MS = 400;

const setCard = StateEffect.define<Tooltip | null>();

/** The card that a key opened. It closes when the cursor moves or the text changes. */
const openedCard = StateField.define<Tooltip | null>({
	create: () => null,
	update: (card, transaction) => {
		const opened = transaction.effects.find((effect) => effect.is(setCard));
		if (opened) return opened.value;
		return transaction.docChanged || transaction.selection ? null : card;
	},
	provide: (field) => showTooltip.from(field)
});

/** Shows problems and explanations of what the mouse is over. */
export function hoverCards(sources: CardSources): Extension {
	return [
		openedCard,
		hoverTooltip((view, position) => cardAt(view.state, position, sources), { hoverTime: HOVER_DELAY_MS, hideOnChange: true }),
		// The cards show the problems, so the linter's own ones are off.
		linter(null, { tooltipFilter: () => [], markerFilter: (found) => [...found] })
	];
}

/** Keys that open and close the card at the cursor. */
export function cardKeymap(sources: CardSources): KeyBinding[] {
	return [
		{ key: 'Mod-i', preventDefault: true, run: (view) => openCard(view, sources) },
		{ key: 'Escape', run: closeCard }
	];
}

/** Opens the card at the cursor, and has it read out. */
export function openCard(view: EditorView, sources: CardSources): boolean {
	closeCompletion(view);
	const card = cardAt(view.state, view.state.selection.main.from, sources);
	const spoken = card ? card.spoken : 'Nothing is known about this place';
	// What the mouse or the linter has opened would say the same.
	view.dispatch({ effects: [closeHoverTooltips, setCard.of(card), EditorView.announce.of(spoken)] });
	return true;
}

function closeCard(view: EditorView): boolean {
	if (view.state.field(openedCard, false) === null) return false;
	view.dispatch({ effects: setCard.of(null) });
	return true;
}

function cardAt(state: EditorState, position: number, { knowledge, problems }: CardSources): (Tooltip & { spoken: string }) | null {
	const found = placeProblems(state, problems()).filter(({ range }) => range.from <= position && position <= range.to);
	const known = knowledge();
	const explained = known ? explainJson(state.doc.toString(), position, known) : null;
	const range = found[0]?.range ?? explained?.range;
	if (!range) return null;
	const listed = found.map(({ problem }) => problem);
	const spoken = [...listed.map(({ message }) => message), explained?.text ?? ''].join('. ').replaceAll(/[*`]/g, '');
	return {
		pos: Math.min(range.from, position),
		end: range.to,
		above: true,
		spoken,
		create: (view) => {
			const dom = document.createElement('div');
			const shown = mount(HoverCard, { target: dom, props: { problems: listed, text: explained?.text ?? '', onfix: (fix) => fixProblems(view, [fix]) } });
			return { dom, destroy: () => void unmount(shown) };
		}
	};
}

import { acceptCompletion, closeCompletion, completionStatus, selectedCompletion, type Completion } from '@codemirror/autocomplete';
import { insertNewlineAndIndent } from '@codemirror/commands';
import { Prec, type EditorState, type Extension } from '@codemirror/state';
import { keymap, ViewPlugin, type EditorView, type ViewUpdate } from '@codemirror/view';

/** A completion in the list, which says whether accepting it changes the text. */
export interface ListedCompletion extends Completion {
	changesText: (state: EditorState) => boolean;
}

/** Where the cursor is. In a string, nobody wants a line break; a name is being written behind a dot. */
export type KeySite = 'string' | 'name' | 'other';

/**
 * Enter and Tab accept the selected completion. Enter breaks the line instead if accepting would change nothing, unless the
 * cursor is in a string. Where a line break makes no sense, Enter waits for completions that are being looked up.
 */
export function completionKeys(siteOf: (state: EditorState) => KeySite): Extension {
	const wait: ViewPlugin<WaitingKey> = ViewPlugin.define((view) => new WaitingKey(view, siteOf), { eventHandlers: { keydown: (event, view) => void view.plugin(wait)?.release(event.key) } });
	const waits = (view: EditorView, isLikely: boolean) => completionStatus(view.state) === 'pending' && (isLikely || isListVisible(view)) && (view.plugin(wait)?.start() ?? false);
	return Prec.highest([
		wait,
		keymap.of([
			{ key: 'Enter', run: (view) => acceptByEnter(view, siteOf) || waits(view, siteOf(view.state) !== 'other') },
			{ key: 'Tab', run: (view) => acceptCompletion(view) || waits(view, false) }
		])
	]);
}

function acceptByEnter(view: EditorView, siteOf: (state: EditorState) => KeySite): boolean {
	const selected = selectedCompletion(view.state);
	if (!selected) return false;
	if (siteOf(view.state) === 'string' || !isListed(selected) || selected.changesText(view.state)) return acceptCompletion(view);
	closeCompletion(view);
	return false;
}

function isListed(completion: Completion): completion is ListedCompletion {
	return 'changesText' in completion;
}

/** Whether a list is shown, even one that is being made anew. */
function isListVisible(view: EditorView): boolean {
	return view.dom.querySelector('.cm-tooltip-autocomplete') !== null;
}

/** An Enter or Tab that was pressed before the list of completions was there. */
class WaitingKey {
	#isWaiting = false;
	readonly #view: EditorView;
	readonly #siteOf: (state: EditorState) => KeySite;

	constructor(view: EditorView, siteOf: (state: EditorState) => KeySite) {
		this.#view = view;
		this.#siteOf = siteOf;
	}

	/** Waits for the list. */
	start(): boolean {
		return (this.#isWaiting = true);
	}

	update({ docChanged, selectionSet, state }: ViewUpdate): void {
		if (!this.#isWaiting) return;
		if (docChanged || selectionSet) this.#isWaiting = false;
		else if (completionStatus(state) !== 'pending') queueMicrotask(() => this.#finish());
	}

	/** Another key is pressed: what comes first is done first. */
	release(key: string): void {
		if (!this.#isWaiting || ['Shift', 'Control', 'Alt', 'Meta'].includes(key)) return;
		this.#isWaiting = false;
		if (key !== 'Escape') insertNewlineAndIndent(this.#view);
	}

	#finish(): void {
		if (!this.#isWaiting) return;
		this.#isWaiting = false;
		if (!acceptByEnter(this.#view, this.#siteOf)) insertNewlineAndIndent(this.#view);
	}
}

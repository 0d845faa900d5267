import { autocompletion, startCompletion, type Completion as ListedCompletion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete';
import type { Extension } from '@codemirror/state';
import type { EditorView } from '@codemirror/view';
import { mount, unmount } from 'svelte';
import Markdown from '#lib/components/ui/Markdown.svelte';
import { completeJson, type Completion } from './completion.ts';
import { cursorAt } from './cursor.ts';
import type { Knowledge } from './knowledge.ts';

/** Offers completions of a JSON text while it is typed, and on Ctrl+Space. */
export function jsonCompletion(knowledge: () => Knowledge | undefined): Extension {
	return autocompletion({ override: [(context) => complete(context, knowledge())], icons: false, maxRenderedOptions: 100 });
}

async function complete(context: CompletionContext, knowledge: Knowledge | undefined): Promise<CompletionResult | null> {
	const { state, pos, explicit } = context;
	const text = state.doc.toString();
	// Between tokens, a list that opens by itself would be in the way.
	if (!knowledge || (!explicit && isBetweenTokens(text, pos))) return null;
	const found = await completeJson(text, pos, knowledge);
	if (!found || found.options.length === 0) return null;
	const typed = text.slice(found.from, pos);
	// What begins with a dot or bracket is matched by the word behind it.
	const word = typed.replace(/^[^\w$]+/, '').toLowerCase();
	const isWhole = word.length === typed.length;
	const options = isWhole ? found.options : found.options.filter(({ label }) => label.toLowerCase().includes(word));
	return { from: found.from, options: options.map((option) => toListed(option, text)), filter: isWhole };
}

function isBetweenTokens(text: string, position: number): boolean {
	const cursor = cursorAt(text, position);
	return !cursor || cursor.token.from === cursor.token.to;
}

function toListed(option: Completion, text: string): ListedCompletion {
	return {
		label: option.label,
		detail: option.detail.length > 60 ? `${option.detail.slice(0, 60)}…` : option.detail,
		boost: option.boost,
		type: option.kind,
		info: option.info ? () => showInfo(option.info) : undefined,
		apply: (view) => apply(view, option, text)
	};
}

function apply(view: EditorView, { changes, selection, continues }: Completion, text: string): void {
	// The changes hold for the text that they were made for.
	if (view.state.doc.toString() !== text) return;
	view.dispatch({ changes, selection: { anchor: selection.from, head: selection.to }, userEvent: 'input.complete', scrollIntoView: true });
	if (continues) startCompletion(view);
}

function showInfo(text: string) {
	const dom = document.createElement('div');
	const shown = mount(Markdown, { target: dom, props: { text } });
	return { dom, destroy: () => void unmount(shown) };
}

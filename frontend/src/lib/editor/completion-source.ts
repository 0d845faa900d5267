import { autocompletion, startCompletion, type Completion as ListedCompletion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete';
import type { Extension } from '@codemirror/state';
import type { EditorView } from '@codemirror/view';
import { mount, unmount } from 'svelte';
import Markdown from '#lib/components/ui/Markdown.svelte';
import { completeJson, moveEnd, type Completion } from './completion.ts';
import { cursorAt } from './cursor.ts';
import type { Knowledge } from './knowledge.ts';

/** Offers completions of a JSON text while it is typed, and on Ctrl+Space. */
export function jsonCompletion(knowledge: () => Knowledge | undefined): Extension {
	return autocompletion({
		override: [(context) => complete(context, knowledge())],
		icons: false,
		maxRenderedOptions: 100,
		// The list opens inside of tokens only, where Enter can mean nothing else.
		interactionDelay: 0
	});
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
	return {
		from: found.from,
		options: options.map((option) => toListed(option, text, pos)),
		filter: isWhole,
		// The list stays while a word goes on, so that Enter never comes before it.
		validFor: isWhole ? /^[\w$/-]*$/ : undefined
	};
}

function isBetweenTokens(text: string, position: number): boolean {
	const cursor = cursorAt(text, position);
	return !cursor || cursor.token.from === cursor.token.to;
}

function toListed(option: Completion, text: string, position: number): ListedCompletion {
	return {
		label: option.label,
		detail: option.detail.length > 60 ? `${option.detail.slice(0, 60)}…` : option.detail,
		boost: option.boost,
		type: option.kind,
		info: option.info ? () => showInfo(option.info) : undefined,
		apply: (view) => apply(view, moveEnd(option, position, view.state.doc.length - text.length))
	};
}

function apply(view: EditorView, { changes, selection, continues }: Completion): void {
	view.dispatch({ changes, selection: { anchor: selection.from, head: selection.to }, userEvent: 'input.complete', scrollIntoView: true });
	if (continues) startCompletion(view);
}

function showInfo(text: string) {
	const dom = document.createElement('div');
	const shown = mount(Markdown, { target: dom, props: { text } });
	return { dom, destroy: () => void unmount(shown) };
}

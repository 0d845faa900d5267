import { autocompletion, startCompletion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete';
import type { EditorState, Extension } from '@codemirror/state';
import type { EditorView } from '@codemirror/view';
import { mount, unmount } from 'svelte';
import Markdown from '#lib/components/ui/Markdown.svelte';
import { completeJson, moveEnd, toPartCompletion, type Completion } from './completion.ts';
import { completionKeys, type ListedCompletion } from './completion-keys.ts';
import { cursorAt } from './cursor.ts';
import type { Knowledge, PartSuggestions } from './knowledge.ts';

/** Offers completions of a JSON text while it is typed, and on Ctrl+Space. */
export function jsonCompletion(knowledge: () => Knowledge | undefined): Extension {
	return [completionKeys((state) => (isInString(state) ? 'string' : 'other')), completionList((context) => completeInJson(context, knowledge()))];
}

/** Offers completions of an expression, for which the text before the cursor is passed to `complete`. */
export function expressionCompletion(complete: (before: string) => Promise<PartSuggestions | null>): Extension {
	const isName = (state: EditorState) => /(\.|\[")[\w$-]*$/.test(state.sliceDoc(0, state.selection.main.head));
	return [completionKeys((state) => (isName(state) ? 'name' : 'other')), completionList((context) => completeInExpression(context, complete))];
}

function completionList(source: (context: CompletionContext) => Promise<CompletionResult | null>): Extension {
	// The list opens inside of tokens only, where Enter can mean nothing else.
	return autocompletion({ override: [source], icons: false, maxRenderedOptions: 100, interactionDelay: 0 });
}

async function completeInJson({ state, pos, explicit }: CompletionContext, knowledge: Knowledge | undefined): Promise<CompletionResult | null> {
	const text = state.doc.toString();
	// Between tokens, a list that opens by itself would be in the way.
	if (!knowledge || (!explicit && isBetweenTokens(text, pos))) return null;
	const found = await completeJson(text, pos, knowledge);
	return found && listCompletions(found.from, found.options, text, pos, explicit);
}

async function completeInExpression({ state, pos, explicit }: CompletionContext, complete: (before: string) => Promise<PartSuggestions | null>): Promise<CompletionResult | null> {
	const text = state.doc.toString();
	const found = await complete(text.slice(0, pos));
	return found && listCompletions(found.from, found.suggestions.map((suggestion, index) => toPartCompletion(suggestion, index, { from: found.from, to: pos }, suggestion.insert)), text, pos, explicit);
}

/** Lists the completions that replace the text between two positions. What begins with a dot or bracket is matched by the word behind it. */
function listCompletions(from: number, options: readonly Completion[], text: string, pos: number, explicit: boolean): CompletionResult | null {
	// Where no part is begun, such as behind an operator, a list that opens by itself would be in the way.
	if (options.length === 0 || (!explicit && from === pos && options[0]?.kind === 'part')) return null;
	const link = /^[^\w$]*/.exec(text.slice(from, pos))?.[0] ?? '';
	const hasSpaces = options.some(({ label }) => label.includes(' '));
	return { from: from + link.length, options: options.map((option) => toListed(option, text, pos)), validFor: link !== '' ? /^[\w$-]*$/ : hasSpaces ? /^[\w$/ -]*$/ : /^[\w$/-]*$/ };
}

function isBetweenTokens(text: string, position: number): boolean {
	const cursor = cursorAt(text, position);
	return !cursor || cursor.token.from === cursor.token.to;
}

function isInString(state: EditorState): boolean {
	return (cursorAt(state.doc.toString(), state.selection.main.head)?.string ?? null) !== null;
}

function toListed(option: Completion, text: string, position: number): ListedCompletion {
	const current = (state: EditorState) => moveEnd(option, position, state.doc.length - text.length);
	return {
		label: option.label,
		detail: option.detail.length > 60 ? `${option.detail.slice(0, 60)}…` : option.detail,
		boost: option.boost,
		type: option.kind,
		info: option.info ? () => showInfo(option.info) : undefined,
		apply: (view) => apply(view, current(view.state)),
		changesText: (state) => current(state).changes.some(({ from, to, insert }) => state.sliceDoc(from, to) !== insert)
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

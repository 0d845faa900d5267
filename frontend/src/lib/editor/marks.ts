import { nextDiagnostic, previousDiagnostic, setDiagnostics, type Diagnostic } from '@codemirror/lint';
import type { EditorState, TransactionSpec } from '@codemirror/state';
import type { Command, EditorView, KeyBinding } from '@codemirror/view';
import type { Fix, Problem } from '#lib/problems.ts';
import { applyFixes } from './fixes.ts';
import { formatText } from './format.ts';
import type { TextEdit } from './json-edit.ts';
import { findRanges, type Range } from './pointers.ts';
import { textOf } from './setup.ts';
import { findRangeInString } from './string-positions.ts';

/** Problems with their places in the text. */
export function placeProblems(state: EditorState, problems: readonly Problem[]): { problem: Problem; range: Range }[] {
	const text = textOf(state.doc);
	const ranges = findRanges(text, problems.map(({ pointer }) => pointer));
	return problems.map((problem, index) => {
		const { range, span } = problem;
		if (range && range.to <= text.length) return { problem, range };
		const place = ranges[index]!;
		return { problem, range: span ? findRangeInString(text, place, span.line, span.column) : place };
	});
}

/** Marks problems at their places, with buttons for their fixes. */
export function markProblems(state: EditorState, problems: readonly Problem[]): TransactionSpec {
	const found = placeProblems(state, problems).map(({ problem, range }): Diagnostic => {
		const { severity, message, code, fix } = problem;
		const actions = fix ? [{ name: fix.label, apply: (view: EditorView) => fixProblems(view, [fix]) }] : [];
		return { ...range, severity, message, source: code, actions };
	});
	return setDiagnostics(state, found);
}

/** Applies an edit as one undo step. */
export function applyEdit(view: EditorView, edit: TextEdit): void {
	view.dispatch(...edit.map((changes, index) => ({ changes: [...changes], sequential: index > 0, userEvent: 'input' })));
}

/** Formats the text, if it is JSON, as one undo step. */
export function formatDocument(view: EditorView): boolean {
	const changes = formatText(textOf(view.state.doc));
	if (changes.length > 0) applyEdit(view, [changes]);
	return true;
}

/** Applies fixes as one undo step. */
export function fixProblems(view: EditorView, fixes: readonly Fix[]): void {
	applyEdit(view, applyFixes(textOf(view.state.doc), fixes));
}

/** Keys that go from problem to problem, each of which `show` explains, fix the one at the cursor, and format the text. */
export function problemKeymap(problems: () => readonly Problem[], show: (view: EditorView) => void): KeyBinding[] {
	const go = (command: Command) => (view: EditorView) => {
		if (command(view)) show(view);
		return true;
	};
	return [
		{ key: 'F8', run: go(nextDiagnostic) },
		{ key: 'Shift-F8', run: go(previousDiagnostic) },
		{ key: 'Shift-Alt-f', run: formatDocument },
		{ key: 'Mod-.', run: (view) => fixAtCursor(view, problems()) }
	];
}

function fixAtCursor(view: EditorView, problems: readonly Problem[]): boolean {
	const { from, to } = view.state.selection.main;
	const fixable = placeProblems(view.state, problems).flatMap(({ problem: { fix }, range }) => (fix ? [{ fix, range }] : []));
	const touched = fixable.filter(({ range }) => range.from <= to && range.to >= from);
	const line = view.state.doc.lineAt(from);
	const found = touched[0] ?? fixable.find(({ range }) => range.from >= line.from && range.from <= line.to);
	if (found) fixProblems(view, [found.fix]);
	return true;
}

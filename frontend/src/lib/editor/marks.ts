import { nextDiagnostic, previousDiagnostic, setDiagnostics, type Diagnostic } from '@codemirror/lint';
import type { EditorState, TransactionSpec } from '@codemirror/state';
import type { Command, EditorView, KeyBinding } from '@codemirror/view';
import type { Fix, Problem } from '#lib/problems.ts';
import { applyFixes } from './fixes.ts';
import type { TextEdit } from './json-edit.ts';
import { findRange, type Range } from './pointers.ts';
import { treeOf } from './setup.ts';
import { findRangeInString } from './string-positions.ts';

/** The place of a problem in the text. */
export function rangeOf({ pointer, range, span }: Pick<Problem, 'pointer' | 'range' | 'span'>, state: EditorState): Range {
	if (range && range.to <= state.doc.length) return range;
	const text = state.doc.toString();
	const found = findRange(treeOf(state), text, pointer);
	return span ? findRangeInString(text, found, span.line, span.column) : { from: found.from, to: found.to };
}

/** Marks problems at their places, with buttons for their fixes. */
export function markProblems(state: EditorState, problems: readonly Problem[]): TransactionSpec {
	const found = problems.map((problem): Diagnostic => {
		const { severity, message, code, fix } = problem;
		const actions = fix ? [{ name: fix.label, apply: (view: EditorView) => fixProblems(view, [fix]) }] : [];
		return { ...rangeOf(problem, state), severity, message, source: code, actions };
	});
	return setDiagnostics(state, found);
}

/** Applies an edit as one undo step. */
export function applyEdit(view: EditorView, edit: TextEdit): void {
	view.dispatch(...edit.map((changes, index) => ({ changes: [...changes], sequential: index > 0, userEvent: 'input' })));
}

/** Applies fixes as one undo step. */
export function fixProblems(view: EditorView, fixes: readonly Fix[]): void {
	applyEdit(view, applyFixes(view.state.doc.toString(), fixes));
}

/** Keys that go from problem to problem, each of which `show` explains, and fix the one at the cursor. */
export function problemKeymap(problems: () => readonly Problem[], show: (view: EditorView) => void): KeyBinding[] {
	const go = (command: Command) => (view: EditorView) => {
		if (command(view)) show(view);
		return true;
	};
	return [
		{ key: 'F8', run: go(nextDiagnostic) },
		{ key: 'Shift-F8', run: go(previousDiagnostic) },
		{ key: 'Mod-.', run: (view) => fixAtCursor(view, problems()) }
	];
}

function fixAtCursor(view: EditorView, problems: readonly Problem[]): boolean {
	const { from, to } = view.state.selection.main;
	const fixable = problems.flatMap((problem) => (problem.fix ? [{ fix: problem.fix, range: rangeOf(problem, view.state) }] : []));
	const touched = fixable.filter(({ range }) => range.from <= to && range.to >= from);
	const line = view.state.doc.lineAt(from);
	const found = touched[0] ?? fixable.find(({ range }) => range.from >= line.from && range.from <= line.to);
	if (found) fixProblems(view, [found.fix]);
	return true;
}

import type { Problem } from '#lib/problems.ts';

/** A range of an expression with what is wrong there, as the text editor takes it. */
export interface ExpressionMark {
	from: number;
	to: number;
	severity: 'error' | 'warning' | 'hint';
	message: string;
}

/** Marks the problems that have a position: the name or the path at it, or the last character if it is behind the end. */
export function markProblems(source: string, problems: readonly Problem[]): ExpressionMark[] {
	return problems.flatMap(({ span, severity, message }) => {
		if (!span || source === '') return [];
		const lines = source.split('\n');
		const line = Math.min(span.line, lines.length);
		const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
		const at = start + [...lines[line - 1]!].slice(0, Math.max(span.column - 1, 0)).join('').length;
		const from = Math.min(at, Math.max(source.length - 1, 0));
		const word = /^[\w$]+(?:\??\.[\w$]+)*/.exec(source.slice(from))?.[0].length ?? 1;
		return [{ from, to: Math.min(from + word, source.length), severity, message }];
	});
}

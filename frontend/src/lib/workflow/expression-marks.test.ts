import { expect, it } from 'vitest';
import { markProblems } from './expression-marks.ts';

it.each([
	['results.gone.x', { line: 1, column: 9 }, 'gone.x'],
	['a +\n  bad', { line: 2, column: 3 }, 'bad'],
	['f(', { line: 1, column: 3 }, '('],
	['"🎩" + bad', { line: 1, column: 7 }, 'bad'],
	['a', { line: 9, column: 9 }, 'a']
])('markProblems in %j at %j', (source, span, marked) => {
	const [mark] = markProblems(source, [{ severity: 'error', pointer: '', message: 'm', span }]);
	expect(source.slice(mark!.from, mark!.to)).toBe(marked);
});

it('markProblems leaves out what has no position', () => {
	expect(markProblems('a', [{ severity: 'error', pointer: '', message: 'm' }])).toEqual([]);
	expect(markProblems('', [{ severity: 'error', pointer: '', message: 'm', span: { line: 1, column: 1 } }])).toEqual([]);
});

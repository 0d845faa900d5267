import { expect, it } from 'vitest';
import { mergeProblems, splitCode, type Problem } from './problems.ts';

const problem = (severity: Problem['severity'], pointer: string): Problem => ({ severity, pointer, message: 'm' });

it('mergeProblems removes duplicates and puts errors first', () => {
	const merged = mergeProblems([problem('hint', '/a'), problem('error', '/b')], [problem('error', '/b'), problem('error', '/a')]);
	expect(merged.map(({ severity, pointer }) => severity + pointer)).toEqual(['error/b', 'error/a', 'hint/a']);
});

it.each([
	['no node `x`: the nodes are `a`', ['no node ', '<x>', ': the nodes are ', '<a>']],
	['`x`', ['<x>']],
	['a ` alone', ['a ` alone']],
	['', []]
])('quoted takes %j apart', (message, pieces) => {
	expect(splitCode(message).map(({ text, code }) => (code ? `<${text}>` : text))).toEqual(pieces);
});

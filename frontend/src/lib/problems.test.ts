import { expect, it } from 'vitest';
import { filterProblems, mergeProblems, missingSecretOf, type Problem, splitCode } from './problems.ts';

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

it('finds problems by severity and by words of message, code and place', () => {
	const problems: Problem[] = [
		{ code: 'unknown-step', severity: 'error', pointer: '/value/modules/0', message: 'no step `x`' },
		{ code: 'ignored-field', severity: 'warning', pointer: '/value/modules/1', message: 'has no effect' }
	];
	const found = (...args: ['all' | Problem['severity'], string]) => filterProblems(problems, ...args).map(({ code }) => code);
	expect(found('all', '')).toEqual(['unknown-step', 'ignored-field']);
	expect(found('warning', '')).toEqual(['ignored-field']);
	expect(found('all', 'STEP modules/0')).toEqual(['unknown-step']);
	expect(found('error', 'effect')).toEqual([]);
});

it.each([
	['unresolved-secret', 'the secret `FAL_KEY` that connector `fal` needs is not set', 'FAL_KEY'],
	['unknown-node', 'there is no node `FAL_KEY`', undefined]
])('missingSecretOf %s', (code, message, name) => expect(missingSecretOf({ code, message })).toBe(name));

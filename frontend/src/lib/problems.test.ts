import { expect, it } from 'vitest';
import { merge, type Problem } from './problems.ts';

const problem = (severity: Problem['severity'], pointer: string): Problem => ({ severity, pointer, message: 'm' });

it('merge gives each finding once, errors first', () => {
	const merged = merge([problem('hint', '/a'), problem('error', '/b')], [problem('error', '/b'), problem('error', '/a')]);
	expect(merged.map(({ severity, pointer }) => severity + pointer)).toEqual(['error/b', 'error/a', 'hint/a']);
});

import { expect, it } from 'vitest';
import { searchSteps } from './search.ts';

const steps = [
	{ id: 'hat', module: { summary: 'Add a hat', value: { type: 'script', path: 'node/flux-kontext' } }, words: ['node', 'Flux Kontext Pro'] },
	{ id: 'sub', module: { value: { type: 'flow', path: 'workflow/dubbing' } }, words: ['sub-flow'] },
	{ id: 'each', module: { value: { type: 'forloopflow' } }, words: ['for each'] }
];

it.each([
	['hat', ['hat']],
	['ADD kontext', ['hat']],
	['pro', ['hat']],
	['dubbing', ['sub']],
	['forloop', ['each']],
	['for each', ['each']],
	['hat dubbing', []],
	['  ', []]
])('%j finds %j', (query, found) => expect(searchSteps(steps, query)).toEqual(found));

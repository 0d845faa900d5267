import { describe, expect, it } from 'vitest';
import type { ExpressionCompletion } from '#lib/core.ts';
import { completeExpression } from './completion.ts';
import type { ScopeEntry } from './scope.ts';

const entry = (expression: string, label: string, sample?: unknown, children: ScopeEntry[] = []): ScopeEntry => ({ label, expression, type: 'string', description: '', sample, children });
const scope = [
	entry('results.draw', 'draw', undefined, [entry('results.draw.image', 'image', 'a.png'), entry('results.draw["b c"]', 'b c', 1)]),
	entry('flow_input', 'Workflow inputs', undefined, [entry('flow_input.photo', 'photo', 'p.png')]),
	entry('result', 'result', undefined, [entry('result.seed', 'seed', 7)])
];
const option = (insert: string, label = insert): ExpressionCompletion => ({ label, insert, kind: 'member', type: 'image', description: '' });

/** What is suggested behind a text, as `text it makes: detail`, if the core offers these options in place of so many characters. */
async function suggest(before: string, replaced: number, options: ExpressionCompletion[]): Promise<string[]> {
	const core = { complete: () => Promise.resolve({ replaced, options }) };
	const found = await completeExpression(core, { document: {}, catalog: { connectors: {}, nodes: {}, workflows: {} }, pointer: '/x', scope }, before);
	return found!.suggestions.map(({ insert, detail }) => `${before.slice(0, found!.from)}${insert}: ${detail}`);
}

describe('completeExpression', () => {
	it.each<[string, number, ExpressionCompletion[], string[]]>([
		['ph', 2, [option('flow_input.photo')], ['flow_input.photo: image = p.png']],
		['flow_input.', 1, [option('.photo'), option('.other')], ['flow_input.photo: image = p.png', 'flow_input.other: image']],
		['1 + results.draw.im', 3, [option('.image')], ['1 + results.draw.image: image = a.png', '1 + results.draw["b c"]: string = 1']],
		['results.draw?.', 2, [option('?.image')], ['results.draw?.image: image = a.png', 'results.draw?.["b c"]: string = 1']],
		['result.', 1, [], ['result.seed: string = 7']],
		['x.', 1, [], []]
	])('%s', async (before, replaced, options, expected) => expect(await suggest(before, replaced, options)).toEqual(expected));

	it('suggests nothing if the core fails', async () => {
		const core = { complete: () => Promise.resolve(null) };
		expect(await completeExpression(core, { document: {}, catalog: { connectors: {}, nodes: {}, workflows: {} }, pointer: '/x', scope }, 'results.')).toBeNull();
	});
});

import { describe, expect, it } from 'vitest';
import { completeExpression } from './completion.ts';
import type { ScopeEntry } from './scope.ts';

const entry = (expression: string, label: string, children: ScopeEntry[] = []): ScopeEntry => ({ label, expression, type: 'string', description: '', sample: undefined, children });
const scope = [
	entry('results.add_hat', 'add_hat', [entry('results.add_hat.image', 'image', [entry('results.add_hat.image.url', 'url')]), entry('results.add_hat["b c"]', 'b c')]),
	entry('flow_input', 'Workflow inputs', [entry('flow_input.photo', 'photo')])
];

function apply(expression: string, label: string): string | undefined {
	const found = completeExpression(expression, expression.length, scope);
	const chosen = found?.suggestions.find((suggestion) => suggestion.label === label);
	return chosen && expression.slice(0, found!.from) + chosen.insert;
}

describe('completeExpression', () => {
	it.each([
		['res', 'results', 'results'],
		['', 'results.add_hat', 'results.add_hat'],
		['a + res', 'results', 'a + results'],
		['results.', 'add_hat', 'results.add_hat'],
		['results.add', 'add_hat', 'results.add_hat'],
		['results.add_hat.i', 'image', 'results.add_hat.image'],
		['results.add_hat?.i', 'image', 'results.add_hat?.image'],
		['results.add_hat.', 'b c', 'results.add_hat["b c"]'],
		['results.add_hat?.', 'b c', 'results.add_hat?.["b c"]'],
		['results.add_hat.image.', 'url', 'results.add_hat.image.url'],
		['`${flow_input.', 'photo', '`${flow_input.photo']
	])('%s, %s', (before, label, after) => expect(apply(before, label)).toBe(after));

	it('suggests nothing behind other names', () => {
		expect(completeExpression('x.', 2, scope)).toBeNull();
		expect(completeExpression('results.none.', 13, scope)?.suggestions).toEqual([]);
	});
});

import { expect, it } from 'vitest';
import { findStepAt } from './symbols.ts';

const text = JSON.stringify({
	nodes: {
		value: {
			early_return: 'b',
			modules: [
				{ id: 'a', value: { type: 'identity' } },
				{ id: 'b', skip_if: { expr: 'results.a.x + results["b c"] + flow_input.a' }, value: { type: 'forloopflow', iterator: { type: 'javascript', expr: '[]' }, modules: [{ id: 'b c', value: { type: 'identity' } }] } }
			]
		}
	}
});

it.each([
	['"id":"a"', 6, '/value/modules/0'],
	['"id":"a"', 8, '/value/modules/0'],
	['results.a', 8, '/value/modules/0'],
	['results.a.x', 10, null],
	['b c\\"]', 1, '/value/modules/1/value/modules/0'],
	['"early_return":"b"', 16, '/value/modules/1'],
	['flow_input.a', 11, null],
	['"type"', 2, null]
])('at %s + %i', (needle, offset, pointer) => expect(findStepAt(text, text.indexOf(needle) + offset, '/nodes')?.pointer ?? null).toBe(pointer));

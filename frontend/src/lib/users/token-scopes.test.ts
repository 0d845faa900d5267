import { expect, test } from 'vitest';
import { describeScopes } from './token-scopes.ts';

test('scopes are described by what they name', () => {
	const proxy = { proxy: { connector: 'fal', methods: ['GET'], paths: ['**'] } };
	expect(describeScopes([proxy, { run: { workflows: ['poster'], nodes: ['*'] } }])).toBe('proxy to fal, run poster, all nodes');
});

import { expect, it } from 'vitest';
import { badgesOf, stepKind } from './card-badges.ts';

it('badgesOf lists settings that are in effect', () => {
	const module = { id: 'a', retry: {}, mock: { enabled: false }, skip_if: { expr: 'x' }, cache_ttl: 60, timeout: null };
	expect(badgesOf(module)).toEqual(['retry', 'cache', 'skip']);
	expect(badgesOf({ skip_if: { expr: 'true' }, mock: { enabled: true } })).toEqual(['disabled', 'mock']);
	expect(badgesOf(undefined)).toEqual([]);
});

it('stepKind recognizes races and approvals', () => {
	expect(stepKind('branchall', { value: { type: 'branchall', race: true } })).toBe('race');
	expect(stepKind('identity', { suspend: {} })).toBe('approval');
	expect(stepKind('script', undefined)).toBe('script');
});

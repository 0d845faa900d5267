import { expect, it } from 'vitest';
import { withPreset } from './run-presets.svelte.ts';

it('keeps presets in the order of their names, one of each', () => {
	const presets = [{ name: 'b', input: { x: 1 } }].concat({ name: 'c', input: { x: 2 } });
	expect(withPreset(presets, { name: 'a', input: {} }).map(({ name }) => name)).toEqual(['a', 'b', 'c']);
	expect(withPreset(presets, { name: 'b', input: { x: 3 } })).toEqual([{ name: 'b', input: { x: 3 } }, presets[1]]);
});

import { expect, it } from 'vitest';
import { markOf } from './provider-mark.ts';

it.each([
	['replicate', 'R'],
	['Open AI', 'OA'],
	['black-forest labs', 'BF'],
	['  ', '?'],
	['(test) Über', 'Ü']
])('initials of %j', (name, initials) => expect(markOf(name).initials).toBe(initials));

it('the hue depends on the name alone', () => {
	expect(markOf('Replicate')).toEqual(markOf('Replicate '));
	expect(new Set(['Replicate', 'OpenAI', 'Stability', 'fal', 'Runway', 'Luma'].map((name) => markOf(name).hue)).size).toBeGreaterThan(3);
});

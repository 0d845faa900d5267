import { expect, it } from 'vitest';
import { Selection } from './selection.svelte.ts';

const SHOWN = ['a', 'b', 'c', 'd', 'e'];
const picked = (selection: Selection) => selection.pick(SHOWN, (id) => id).join('');

it('selects and unselects single items and ranges', () => {
	const selection = new Selection();
	selection.toggle('b', SHOWN);
	selection.toggle('d', SHOWN, true);
	expect(picked(selection)).toBe('bcd');
	selection.toggle('c', SHOWN);
	expect(picked(selection)).toBe('bd');
	selection.toggle('d', SHOWN);
	selection.toggle('b', SHOWN, true);
	expect(picked(selection)).toBe('');
});

it('a range from an item that is no longer shown is that item alone', () => {
	const selection = new Selection();
	selection.toggle('a', SHOWN);
	selection.toggle('d', ['c', 'd'], true);
	expect(picked(selection)).toBe('ad');
});

it('picks only what is still there', () => {
	const selection = new Selection();
	selection.replace(['a', 'gone']);
	expect([picked(selection), selection.has('gone')]).toEqual(['a', true]);
	selection.clear();
	expect(picked(selection)).toBe('');
});

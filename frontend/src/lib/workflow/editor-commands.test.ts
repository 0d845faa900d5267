import { expect, it } from 'vitest';
import { commandTitle, EDITOR_COMMANDS } from './editor-commands.ts';
import { findAction } from './shortcuts.ts';

/** The key event of keys as a list shows them. */
function press(keys: string) {
	const parts = keys.split(/\+(?=.)/);
	const key = parts.at(-1) ?? '';
	const names: Record<string, string> = { '↑': 'ArrowUp', '↓': 'ArrowDown', Esc: 'Escape' };
	const has = (name: string) => parts.slice(0, -1).includes(name);
	return { key: names[key] ?? (has('Shift') || key.length > 1 ? key : key.toLowerCase()), ctrlKey: has('Ctrl'), metaKey: false, shiftKey: has('Shift'), altKey: has('Alt') };
}

it.each(EDITOR_COMMANDS.map(({ action, keys }) => [keys, action]))('%s starts %s', (keys, action) => expect(findAction(press(keys), false)).toBe(action));

it('each action is named once, and titles have the first key', () => {
	expect(new Set(EDITOR_COMMANDS.map(({ name }) => name)).size).toBe(EDITOR_COMMANDS.length);
	expect([commandTitle('redo'), commandTitle('search')]).toEqual(['Redo (Ctrl+Shift+Z)', 'Search steps (/)']);
});

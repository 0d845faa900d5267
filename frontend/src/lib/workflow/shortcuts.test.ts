import { expect, it } from 'vitest';
import { findAction, type KeyPress } from './shortcuts.ts';

const press = (key: string, held: Partial<KeyPress> = {}): KeyPress => ({ key, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...held });
const ctrl = { ctrlKey: true };

it.each([
	[press('n'), false, 'insert'],
	[press('n'), true, null],
	[press('s', ctrl), true, 'save'],
	[press('Enter', { metaKey: true }), true, 'run'],
	[press('Z', { ...ctrl, shiftKey: true }), false, 'redo'],
	[press('H', { ...ctrl, shiftKey: true }), true, 'versions'],
	[press('z', ctrl), true, null],
	[press('d', ctrl), false, 'duplicate'],
	[press('d'), false, 'disable'],
	[press('c', ctrl), false, null],
	[press('?', { shiftKey: true }), false, 'help'],
	[press('f', ctrl), false, 'search'],
	[press('f', ctrl), true, null],
	[press('1'), false, 'fit'],
	[press('+', ctrl), false, null],
	[press('c'), false, 'fold'],
	[press('C', { shiftKey: true }), false, 'fold-all'],
	[press('n', { altKey: true }), false, null],
	[press('ArrowUp', { altKey: true }), false, 'move-up'],
	[press('ArrowUp', { altKey: true }), true, null],
	[press('ArrowDown', { shiftKey: true }), false, 'extend-next'],
	[press('F6'), true, 'next-pane'],
	[press('F6', { shiftKey: true }), false, 'previous-pane'],
	[press('F6', ctrl), true, null]
])('%j, typing %s: %s', (key, typing, action) => expect(findAction(key, typing)).toBe(action));

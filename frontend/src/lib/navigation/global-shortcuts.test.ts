import { expect, it } from 'vitest';
import { KeySequence } from './global-shortcuts.ts';

/** Presses keys, each with a pause before it in milliseconds, and returns the last action. */
function press(...keys: [key: string, pause: number, ctrl?: boolean][]) {
	const sequence = new KeySequence();
	let now = 0;
	return keys.map(([key, pause, ctrlKey = false]) => sequence.press({ key, ctrlKey, metaKey: false, altKey: false }, (now += pause))).at(-1);
}

it.each([
	[[['g', 0], ['w', 500]], { type: 'go', href: '/workflows' }],
	[[['G', 0], ['J', 500]], { type: 'go', href: '/jobs' }],
	[[['g', 0], ['w', 2000]], null],
	[[['g', 0], ['x', 100], ['w', 100]], null],
	[[['w', 0]], null],
	[[['g', 0], ['s', 100, true]], null],
	[[['?', 0]], { type: 'help' }],
	[[['/', 0]], { type: 'search' }]
] as [[string, number, boolean?][], object | null][])('%j', (keys, expected) => expect(press(...keys)).toEqual(expected));

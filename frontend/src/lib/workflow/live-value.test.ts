import { expect, it } from 'vitest';
import { describeLiveValue } from './live-value.ts';

it.each([
	[{ artifact: 'o1', mime: 'image/png', name: 'hat.png', width: 8, height: 4 }, 'hat.png 8 × 4'],
	[{ artifact: 'o1', mime: 'audio/mp3' }, 'audio/mp3'],
	['a\n b', 'a b'],
	[[1, 2], '[1,2]'],
	[[1, 2, 3, 4], '4 items'],
	[[{ a: 1 }], '1 item'],
	[{ a: 1 }, '{"a":1}'],
	[{ image: { artifact: 'o1', mime: 'image/png' }, seed: 5 }, '{ image, seed }'],
	[null, 'null'],
	['x'.repeat(200), `${'x'.repeat(120)}…`]
])('describeLiveValue(%j)', (value, text) => expect(describeLiveValue(value)).toBe(text));

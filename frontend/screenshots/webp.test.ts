import { expect, test } from 'vitest';
import { joinFrames } from './webp.ts';

const ascii = (text: string) => [...new TextEncoder().encode(text)];
const still = Uint8Array.from([...ascii('RIFF'), 16, 0, 0, 0, ...ascii('WEBPVP8 '), 3, 0, 0, 0, 7, 8, 9, 0]);

test('stills become frames at their places', () => {
	const file = joinFrames(300, 200, [{ file: still, x: 4, y: 258, width: 10, height: 20, duration: 500 }]);
	expect([...file]).toEqual([
		...ascii('RIFF'), 72, 0, 0, 0, ...ascii('WEBP'),
		...ascii('VP8X'), 10, 0, 0, 0, 2, 0, 0, 0, 43, 1, 0, 199, 0, 0,
		...ascii('ANIM'), 6, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		...ascii('ANMF'), 28, 0, 0, 0, 2, 0, 0, 129, 0, 0, 9, 0, 0, 19, 0, 0, 244, 1, 0, 2,
		...ascii('VP8 '), 3, 0, 0, 0, 7, 8, 9, 0
	]);
});

test('another file is refused', () => {
	expect(() => joinFrames(1, 1, [{ file: new Uint8Array(40), x: 0, y: 0, width: 1, height: 1, duration: 1 }])).toThrow('not a still WebP picture');
});

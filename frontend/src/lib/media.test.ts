import { describe, expect, it } from 'vitest';
import { findMedia, detectMedia } from './media.ts';

const origin = 'http://localhost:8000';

describe('detectMedia', () => {
	it.each([
		['https://replicate.delivery/x/out.png', 'image', true],
		['https://a.example/out.JPEG?sig=1#top', 'image', true],
		['http://127.0.0.1:9/out.webp', 'image', false],
		['http://localhost:8000/api/v1/artifacts/a.mp4', 'video', true],
		['/api/v1/artifacts/a.mp3', 'audio', true],
		['data:image/png;base64,AAAA', 'image', true]
	])('knows %s', (text, kind, inline) => expect(detectMedia(text, origin)).toMatchObject({ kind, inline }));

	it.each(['out.png', 'https://a.example/', 'https://a.example/page.html', 'javascript:x.png', 'http://', 'data:text/html,x'])(
		'leaves %s alone',
		(text) => expect(detectMedia(text, origin)).toBeUndefined()
	);

	it('prefers the MIME type over the extension', () => {
		expect(detectMedia('/api/v1/artifacts/a', origin, 'image/png')?.kind).toBe('image');
	});
});

describe('findMedia', () => {
	it('finds each URL once, with its path', () => {
		const image = 'https://a.example/1.png';
		const value = { output: [image, { url: '/api/v1/artifacts/7', mime: 'video/mp4' }], again: { image } };
		expect(findMedia(value, origin).map(({ kind, label }) => [kind, label])).toEqual([
			['image', 'output[0]'],
			['video', 'output[1]']
		]);
	});
	it('stops at its limit', () => {
		const many = Array.from({ length: 50 }, (_, index) => `https://a.example/${index}.png`);
		expect(findMedia(many, origin, 3)).toHaveLength(3);
	});
	it('finds nothing in plain values', () => expect(findMedia({ a: 1, b: null, c: 'text' }, origin)).toEqual([]));
});

import { describe, expect, it } from 'vitest';
import { detectMedia, downloadUrl, fileName, findMedia, largePreview, readArtifact } from './media.ts';

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

describe('readArtifact', () => {
	const artifact = { artifact: 'o1f', url: 'https://public.example/api/v1/artifacts/o1f', mime: 'image/png', size_bytes: 12_345 };
	const url = `${origin}/api/v1/artifacts/o1f`;

	it.each([
		[{ width: 256, height: 128 }, { kind: 'image', details: '256 × 128 · 12.3 kB' }],
		[{ mime: 'video/mp4', width: 1280, height: 720, duration_s: 5 }, { kind: 'video', details: '1280 × 720 · 5.0 s · 12.3 kB' }],
		[{ mime: 'audio/wav', duration_s: 65 }, { kind: 'audio', details: '1 m 05 s · 12.3 kB' }],
		[{ mime: 'application/zip' }, { kind: 'file', details: '12.3 kB' }],
		[{ mime: null, size_bytes: null }, { kind: 'file', details: '' }],
		[{ size_bytes: 2_000_000 }, { kind: 'image', details: '2.0 MB', preview: `${url}?w=640` }],
		[{ mime: 'image/gif', size_bytes: 2_000_000 }, { kind: 'image', details: '2.0 MB' }],
		[{ mime: 'video/mp4', size_bytes: 2_000_000 }, { kind: 'video', details: '2.0 MB' }]
	])('with %j is read from the own origin', (fields, expected) =>
		expect(readArtifact({ ...artifact, ...fields }, origin)).toEqual({ url, preview: url, inline: true, ...expected })
	);

	it.each([{ artifact: '../users' }, { artifact: 'a/b' }, { artifact: '' }, { artifact: 7 }, { url: undefined }])(
		'leaves an object with %j alone',
		(fields) => expect(readArtifact({ ...artifact, ...fields }, origin)).toBeUndefined()
	);
});

describe('findMedia', () => {
	it('finds an artifact once, although its URL leads to another host', () => {
		const artifact = { artifact: 'o1f.png', url: 'https://public.example/api/v1/artifacts/o1f.png', mime: 'image/png', size_bytes: 9 };
		expect(findMedia({ images: [artifact, artifact], best: artifact }, origin)).toEqual([
			{ kind: 'image', url: `${origin}/api/v1/artifacts/o1f.png`, preview: `${origin}/api/v1/artifacts/o1f.png`, inline: true, label: 'images[0]', details: '9 B' }
		]);
	});
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

describe('large previews, downloads and names', () => {
	const own = `${origin}/api/v1/artifacts/o1f`;
	it.each([
		[{ url: own, preview: `${own}?w=640` }, `${own}?w=1280`, `${own}?download=true`, 'best'],
		[{ url: 'https://a.example/x%20y.png', preview: 'https://a.example/x%20y.png' }, 'https://a.example/x%20y.png', 'https://a.example/x%20y.png', 'x y.png'],
		[{ url: 'data:image/png;base64,AAAA', preview: 'data:image/png;base64,AAAA' }, 'data:image/png;base64,AAAA', 'data:image/png;base64,AAAA', 'best']
	])('of %j', (media, large, download, name) => {
		expect([largePreview(media), downloadUrl(media, origin), fileName({ ...media, kind: 'image', label: 'best' })]).toEqual([large, download, name]);
	});
});

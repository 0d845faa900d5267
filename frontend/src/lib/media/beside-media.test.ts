import { expect, it } from 'vitest';
import { valueBesideMedia } from './beside-media.ts';

const picture = 'https://x.example/a.png';
const artifact = { artifact: 'a1', url: 'https://x.example/api/v1/artifacts/a1', mime: 'image/png' };

it.each<[string, unknown, unknown]>([
	['files in fields', { image: picture, kept: artifact, all: [picture, artifact], style: 'vintage' }, { style: 'vintage' }],
	['a field with a file inside stays', { a: { image: picture } }, { a: { image: picture } }],
	['nothing is left', { image: picture }, undefined],
	['a file alone', artifact, undefined],
	['a list with other things', [picture, 1], [picture, 1]],
	['an empty list is no file', { images: [] }, { images: [] }]
])('%s', (_, value, expected) => expect(valueBesideMedia(value, 'http://localhost')).toEqual(expected));

import { expect, it } from 'vitest';
import type { LibraryItem } from '#lib/api/types.ts';
import { arrangeLibrary } from './library-list.ts';

const item = (name: string, provider: string, makes: string): LibraryItem => ({ id: name, name, description: `Makes ${makes}`, docs: '', price: null, produces: [makes], provider, provider_name: provider.toUpperCase(), secret: { name: 'K', url: '' } });
const items = [item('Zoom', 'fal', 'video'), item('Flux', 'replicate', 'image'), item('Voice', 'fal', 'audio')];

it.each([
	[{}, 'Voice Zoom Flux'],
	[{ order: 'name' }, 'Flux Voice Zoom'],
	[{ order: 'makes' }, 'Voice Flux Zoom'],
	[{ provider: 'fal' }, 'Voice Zoom'],
	[{ makes: 'image' }, 'Flux'],
	[{ search: 'FAL video' }, 'Zoom']
])('arrangeLibrary %j', (filter, expected) => {
	const found = arrangeLibrary(items, { search: '', provider: '', makes: '', order: 'provider', ...filter });
	expect(found.map(({ name }) => name).join(' ')).toBe(expected);
});

import { expect, it } from 'vitest';
import { findProviderPage } from './provider-page.ts';

const call = (excerpt: unknown) => ({ reply: { status: 200, excerpt: typeof excerpt === 'string' ? excerpt : JSON.stringify(excerpt) } });
const web = 'https://replicate.com/p/x';

it.each([
	[[call({ urls: { web } })], web],
	[[call({ urls: { web: 'https://replicate.com/p/old' } }), call({ urls: { web } }), call('cut {')], web],
	[[call({ web_url: 'javascript:alert(1)' })], undefined],
	[[call({ urls: 'x' }), { reply: {} }], undefined],
	[[], undefined]
])('finds the page of %j', (calls, expected) => expect(findProviderPage(calls)).toBe(expected));

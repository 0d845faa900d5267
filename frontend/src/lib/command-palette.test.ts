import { expect, it } from 'vitest';
import { documentEntries, pageEntries } from './command-palette.ts';

it('entries have keys of their own and lead to pages of the app', () => {
	const named = { id: 'a/b', name: 'A' };
	const entries = [
		...pageEntries(true),
		...documentEntries({ workflows: [named as never], nodes: [named as never], connectors: [named as never], jobs: [{ ...named, status: 'failed' } as never] })
	];
	expect(new Set(entries.map(({ key }) => key)).size).toBe(entries.length);
	expect(entries.every(({ href }) => href.startsWith('/') && !href.includes('a/b'))).toBe(true);
	expect(entries.find(({ group }) => group === 'Jobs')?.detail).toBe('failed · a/b');
});

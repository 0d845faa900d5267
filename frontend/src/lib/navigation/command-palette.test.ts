import { expect, it } from 'vitest';
import { actionEntries, documentEntries, groupEntries, pageCommandEntries, pageEntries } from './command-palette.ts';

const named = { id: 'a/b', name: 'A' };
const entries = [
	...pageCommandEntries([{ key: 'undo', name: 'Undo', keys: 'Ctrl+Z', perform: () => undefined }]),
	...actionEntries(true),
	...pageEntries(true),
	...documentEntries({ workflows: [named as never], nodes: [named as never], connectors: [named as never], jobs: [{ ...named, status: 'failed' } as never] })
];

it('entries have keys of their own and lead to pages of the app', () => {
	expect(new Set(entries.map(({ key }) => key)).size).toBe(entries.length);
	expect(entries.every(({ target }) => !('href' in target) || (target.href.startsWith('/') && !target.href.includes('a/b')))).toBe(true);
	expect(entries.find(({ group }) => group === 'Jobs')?.detail).toBe('failed · a/b');
});

it('only admins create users', () => {
	const names = (isAdmin: boolean) => actionEntries(isAdmin).map(({ name }) => name);
	expect([names(true).includes('New user'), names(false).includes('New user')]).toEqual([true, false]);
});

it('groupEntries puts what was chosen last first and does not repeat it', () => {
	const groups = groupEntries(entries, ['job/a/b', 'gone', 'page/jobs']);
	expect(groups[0]?.[1].map(({ key }) => key)).toEqual(['job/a/b', 'page/jobs']);
	expect(groups.map(([name]) => name)).toEqual(['Recent', 'This page', 'Actions', 'Pages', 'Workflows', 'Nodes', 'Connectors']);
	expect(groups.flatMap(([, found]) => found).length).toBe(entries.length);
	expect(groupEntries(entries, []).map(([name]) => name)).not.toContain('Recent');
});

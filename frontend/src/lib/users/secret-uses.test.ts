import { expect, it } from 'vitest';
import type { Connector } from '#lib/api/types.ts';
import { findSecretNames, findSecretUses } from './secret-uses.ts';

it('findSecretNames reads references anywhere and leaves escaped signs', () => {
	const found = findSecretNames({ header: { a: 'Bearer $KEY', b: '$$NOT' }, data: [{ x: '$A:$B' }], n: 5 });
	expect([...found]).toEqual(['KEY', 'A', 'B']);
});

it('findSecretUses ignores descriptions', () => {
	const connector = { id: 'c', name: '$NAME', description: 'costs $US', header: { a: '$KEY' }, diagnostics: [] } as unknown as Connector;
	expect([...findSecretUses([connector])]).toEqual([['KEY', [connector]]]);
});

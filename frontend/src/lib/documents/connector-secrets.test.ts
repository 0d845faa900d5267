import { expect, it } from 'vitest';
import type { SecretInfo } from '#lib/api/types.ts';
import { checkConnectorSecrets, describeConnectorSecrets } from './connector-secrets.ts';

const secret = (name: string, declaration: string | null = null): SecretInfo => ({ name, declaration, origins: [], owner: null, source: 'stored', updated_at: null });
const check = (header: Record<string, string>, ...secrets: SecretInfo[]) => {
	const found = checkConnectorSecrets({ header, body: null, data: null }, secrets);
	return [found.state, found.hasGenerated, describeConnectorSecrets(found)];
};

it('checkConnectorSecrets', () => {
	expect([
		check({}),
		check({ Authorization: 'Bearer $A' }),
		check({ Authorization: 'Bearer $A' }, secret('A')),
		check({ One: '$A', Two: '$B' }, secret('B', 'connector c')),
		check({ One: '$A', Two: '$B' }, secret('A'), secret('B'))
	]).toEqual([
		['none', false, 'needs no secret'],
		['missing', false, 'A missing'],
		['set', false, 'A is set'],
		['partly', true, 'A missing, 1 of 2 secrets set'],
		['set', false, 'A, B are set']
	]);
});

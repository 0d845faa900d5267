import { expect, it } from 'vitest';
import type { SecretInfo } from '#lib/api/types.ts';
import { arrangeSecrets, canChangeSecret, listSecretRows } from './secret-list.ts';

const secret = (name: string, owner: string | null, day: number, declaration: string | null = null): SecretInfo => ({
	name,
	owner,
	declaration,
	origins: [`https://${name.toLowerCase()}.example`],
	source: 'stored',
	updated_at: `2026-01-0${day}T00:00:00Z`
});
const rows = listSecretRows([secret('A', null, 1), secret('B', 'me', 2), secret('C', null, 3)], new Map([['A', ['Fal']], ['Z', ['Luma']]]));
const names = (search: string, filter: string, order = 'name') => arrangeSecrets(rows, search, filter, order, 'me').map(({ name }) => name).join('');

it.each([
	['', '', 'name', 'ZABC'],
	['', '', 'updated', 'ZCBA'],
	['b.example', '', 'name', 'B'],
	['luma', '', 'name', 'Z'],
	['', 'missing', 'name', 'Z'],
	['', 'shared', 'name', 'AC'],
	['', 'own', 'name', 'B'],
	['', 'unused', 'name', 'BC']
])('search %j, filter %j, order %s', (search, filter, order, expected) => expect(names(search, filter, order)).toBe(expected));

it('canChangeSecret', () => {
	const [user, admin] = [
		{ id: 'me', role: 'user' },
		{ id: 'root', role: 'admin' }
	];
	expect([
		canChangeSecret(secret('A', null, 1), user),
		canChangeSecret(secret('A', null, 1), admin),
		canChangeSecret(secret('A', 'me', 1), user),
		canChangeSecret(secret('A', 'me', 1), admin),
		canChangeSecret(secret('A', null, 1, 'connector c'), admin),
		canChangeSecret({ ...secret('A', null, 1), source: 'environment' }, admin)
	]).toEqual([false, true, true, false, false, false]);
});

import { expect, it } from 'vitest';
import type { User } from '#lib/api/types.ts';
import { arrangeUsers } from './user-list.ts';

const user = (username: string, role: User['role'], day: number, email: string | null = null): User => ({ id: username, username, role, email, created_at: `2026-01-0${day}T00:00:00Z` });
const users = [user('kim', 'user', 1, 'kim@x.example'), user('ada', 'admin', 2), user('bob', 'user', 3)];

it.each([
	['', '', 'name', 'ada bob kim'],
	['', '', 'created', 'bob ada kim'],
	['X.EXAMPLE', '', 'name', 'kim'],
	['', 'admin', 'name', 'ada']
])('search %j, role %j, order %s', (search, role, order, expected) => expect(arrangeUsers(users, search, role, order).map(({ id }) => id).join(' ')).toBe(expected));

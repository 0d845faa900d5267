import type { User } from '#lib/api/types.ts';
import { matchesSearch } from '#lib/documents/document-list.ts';

/** Orders of the list of users. */
export const USER_ORDERS = [
	{ value: 'name', label: 'Name' },
	{ value: 'created', label: 'Newest' }
] as const;

/** Roles, as a filter of the list of users. */
export const USER_FILTERS = [
	{ value: 'admin', label: 'Admins' },
	{ value: 'user', label: 'Not admins' }
] as const;

/** Users with a role that match a search in their name and email address, sorted. */
export function arrangeUsers(users: readonly User[], search: string, role: string, order: string): User[] {
	const found = users.filter((user) => (role === '' || user.role === role) && matchesSearch(search, user.username, user.email ?? ''));
	return found.sort((one, other) => (order === 'created' ? Date.parse(other.created_at) - Date.parse(one.created_at) : 0) || one.username.localeCompare(other.username));
}

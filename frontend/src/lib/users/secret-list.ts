import { matchesSearch } from '#lib/documents/document-list.ts';
import type { SecretInfo } from '#lib/api/types.ts';

/** A secret as a row of the list: one that exists, or one that documents refer to and that is missing. */
export interface SecretRow {
	/** Unique key. */
	id: string;
	name: string;
	/** The secret; null if it is missing. */
	secret: SecretInfo | null;
	/** Names of the documents that refer to it. */
	users: string[];
}

/** The secrets, and before them the names that documents refer to without a secret. */
export function listSecretRows(secrets: readonly SecretInfo[], usersOf: ReadonlyMap<string, string[]>): SecretRow[] {
	const known = new Set(secrets.map(({ name }) => name));
	const missing = [...usersOf].filter(([name]) => !known.has(name));
	return [
		...missing.map(([name, users]): SecretRow => ({ id: `missing/${name}`, name, secret: null, users })),
		...secrets.map((secret): SecretRow => ({ id: `${secret.owner}/${secret.declaration}/${secret.name}`, name: secret.name, secret, users: usersOf.get(secret.name) ?? [] }))
	];
}

/** Filters of the list of secrets. */
export const SECRET_FILTERS = [
	{ value: 'missing', label: 'Missing' },
	{ value: 'shared', label: 'Shared' },
	{ value: 'own', label: 'My own' },
	{ value: 'unused', label: 'Not used' }
] as const;

/** Orders of the list of secrets. */
export const SECRET_ORDERS = [
	{ value: 'name', label: 'Name' },
	{ value: 'updated', label: 'Last changed' }
] as const;

/** Rows that match a search and a filter, missing ones first. `user` is the id of the current user. */
export function arrangeSecrets(rows: readonly SecretRow[], search: string, filter: string, order: string, user: string): SecretRow[] {
	const isShown = ({ secret, users }: SecretRow) => {
		switch (filter) {
			case 'missing':
				return secret === null;
			case 'shared':
				return secret?.owner === null;
			case 'own':
				return secret?.owner === user;
			case 'unused':
				return secret !== null && users.length === 0;
			default:
				return true;
		}
	};
	const found = rows.filter((row) => isShown(row) && matchesSearch(search, row.name, ...(row.secret?.origins ?? []), ...row.users));
	const time = ({ secret }: SecretRow) => (secret?.updated_at ? Date.parse(secret.updated_at) : 0);
	return found.sort((one, other) => Number(one.secret !== null) - Number(other.secret !== null) || (order === 'updated' ? time(other) - time(one) : 0) || one.name.localeCompare(other.name));
}

/** Whether a user may replace and delete a secret. Generated ones belong to their document. */
export function canChangeSecret({ source, declaration, owner }: SecretInfo, user: { id: string; role: string }): boolean {
	return source === 'stored' && declaration === null && (owner === user.id || (owner === null && user.role === 'admin'));
}

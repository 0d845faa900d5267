import { createQuery, type CreateQueryResult } from '@tanstack/svelte-query';
import { unwrap, type Api } from '#lib/api/client.ts';
import { fetchAll } from '#lib/api/documents.ts';
import type { Session } from '#lib/users/session.ts';
import type { User } from '#lib/api/types.ts';

/** Names of users by id. Only admins may list all; others see their own. Create it while a component is initialized. */
export class UserNames {
	readonly #session: Session;
	readonly #query: CreateQueryResult<User[], Error>;

	constructor(api: Api, session: Session) {
		this.#session = session;
		this.#query = createQuery(() => ({
			queryKey: ['users', 'all'],
			queryFn: () => fetchAll({ list: (cursor, limit) => unwrap(api.GET('/api/v1/users', { params: { query: { cursor: cursor ?? undefined, limit } } })) }),
			enabled: session.user.role === 'admin',
			staleTime: 60_000
		}));
	}

	/** The users that are known, the own one first. */
	get users(): readonly Pick<User, 'id' | 'username'>[] {
		const own = this.#session.user;
		return [own, ...(this.#query.data ?? []).filter(({ id }) => id !== own.id)];
	}

	/** Name of a user; `undefined` if it is unknown. */
	nameOf(id: string | null | undefined): string | undefined {
		return this.users.find((user) => user.id === id)?.username;
	}
}

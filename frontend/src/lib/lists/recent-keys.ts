/** The part of `Storage` that is used. */
type Memory = Pick<Storage, 'getItem' | 'setItem'>;

/** The keys that were remembered under a name, newest first. Without usable storage, none. */
export function readRecentKeys(name: string, memory: Memory = localStorage): string[] {
	try {
		const keys = JSON.parse(memory.getItem(name) ?? '[]') as unknown;
		return Array.isArray(keys) ? keys.filter((key) => typeof key === 'string') : [];
	} catch {
		return [];
	}
}

/** Remembers a key as the newest, and at most `limit` keys. */
export function rememberKey(name: string, key: string, limit: number, memory: Memory = localStorage): void {
	const keys = [key, ...readRecentKeys(name, memory).filter((other) => other !== key)].slice(0, limit);
	try {
		memory.setItem(name, JSON.stringify(keys));
	} catch {
		// The storage is full or refused. Nothing depends on it.
	}
}

/** Splits a JSON Pointer (RFC 6901) into its tokens. The empty pointer (the whole document) has none. */
export function parsePointer(pointer: string): string[] {
	if (pointer === '') return [];
	return pointer
		.replace(/^\//, '')
		.split('/')
		.map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** Builds a JSON Pointer from tokens. */
export function formatPointer(path: readonly (string | number)[]): string {
	return path.map((token) => `/${String(token).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** Returns the value at a JSON Pointer, or `undefined` if there is none. */
export function valueAt(document: unknown, at: string): unknown {
	return parsePointer(at).reduce<unknown>((value, token) => {
		if (typeof value !== 'object' || value === null || !Object.hasOwn(value, token)) return undefined;
		return (value as Record<string, unknown>)[token];
	}, document);
}

/** Whether `inner` is `outer` or is inside it. */
export function isWithin(inner: string, outer: string): boolean {
	return inner === outer || inner.startsWith(`${outer}/`);
}

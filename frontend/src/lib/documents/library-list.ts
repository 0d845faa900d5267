import type { LibraryItem } from '#lib/api/types.ts';
import { matchesSearch } from '#lib/documents/document-list.ts';

/** Orders of the library. */
export const LIBRARY_ORDERS = [
	{ value: 'provider', label: 'Provider' },
	{ value: 'name', label: 'Name' },
	{ value: 'makes', label: 'Kind of output' }
] as const;

/** Filters of the library; empty for all. */
export interface LibraryFilter {
	search: string;
	provider: string;
	makes: string;
	order: string;
}

/** Nodes of the library that pass a filter, sorted. */
export function arrangeLibrary(items: readonly LibraryItem[], { search, provider, makes, order }: LibraryFilter): LibraryItem[] {
	const found = items.filter(
		(item) =>
			(provider === '' || item.provider === provider) &&
			(makes === '' || item.produces.includes(makes)) &&
			matchesSearch(search, item.name, item.description, item.provider_name, item.id)
	);
	const keyOf = (item: LibraryItem) => (order === 'provider' ? item.provider_name : order === 'makes' ? item.produces.join() : '');
	return found.sort((one, other) => keyOf(one).localeCompare(keyOf(other)) || one.name.localeCompare(other.name, 'en', { numeric: true }));
}

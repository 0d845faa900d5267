import type { AnyDocument } from '#lib/kinds.ts';

/** Orders of a list. */
export type DocumentOrder = 'updated' | 'name' | 'created';

/** Orders with their labels. */
export const DOCUMENT_ORDERS: readonly { value: DocumentOrder; label: string }[] = [
	{ value: 'updated', label: 'Last changed' },
	{ value: 'created', label: 'Newest' },
	{ value: 'name', label: 'Name' }
];

/** Documents that match a search in their name, id and description, sorted. Several words must all match. */
export function arrangeDocuments<T extends AnyDocument>(documents: readonly T[], search: string, order: DocumentOrder): T[] {
	const words = search.toLowerCase().split(/\s+/).filter(Boolean);
	const matching = documents.filter((document) => {
		const { name, id } = document;
		const description = 'description' in document && typeof document.description === 'string' ? document.description : '';
		const text = `${name} ${id} ${description}`.toLowerCase();
		return words.every((word) => text.includes(word));
	});
	const newest = (one: string, other: string) => Date.parse(other) - Date.parse(one);
	switch (order) {
		case 'updated':
			return matching.sort((one, other) => newest(one.updated_at, other.updated_at));
		case 'created':
			return matching.sort((one, other) => newest(one.created_at, other.created_at));
		case 'name':
			return matching.sort((one, other) => one.name.localeCompare(other.name, 'en', { numeric: true, sensitivity: 'base' }));
	}
}

/** Names at most three of several things: `A, B, C and 2 more`. */
export function listNames(names: readonly string[]): string {
	const MAX_NAMES = 3;
	const shown = names.slice(0, MAX_NAMES);
	const more = names.length - shown.length;
	return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}

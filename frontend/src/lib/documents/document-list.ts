import type { AnyDocument } from '#lib/documents/kinds.ts';

/** Orders of a list. */
export type DocumentOrder = 'updated' | 'name' | 'created' | 'run';

/** Orders with their labels. */
export const DOCUMENT_ORDERS: readonly { value: DocumentOrder; label: string }[] = [
	{ value: 'updated', label: 'Last changed' },
	{ value: 'created', label: 'Newest' },
	{ value: 'name', label: 'Name' }
];

/** The order of documents that can be run. */
export const LAST_RUN_ORDER = { value: 'run', label: 'Last run' } as const;

/** Whether texts contain all words of a search. */
export function matchesSearch(search: string, ...texts: readonly string[]): boolean {
	const text = texts.join(' ').toLowerCase();
	return search
		.toLowerCase()
		.split(/\s+/)
		.every((word) => text.includes(word));
}

const byName = (one: AnyDocument, other: AnyDocument) => one.name.localeCompare(other.name, 'en', { numeric: true, sensitivity: 'base' });

/**
 * Documents that match a search in their name, id and description, sorted. Several words must all match. `ranAt` returns
 * when a document was run last; those that never ran come last.
 */
export function arrangeDocuments<T extends AnyDocument>(documents: readonly T[], search: string, order: DocumentOrder, ranAt: (document: T) => string | undefined = () => undefined): T[] {
	const matching = documents.filter((document) => matchesSearch(search, document.name, document.id, 'description' in document ? document.description : ''));
	const newest = (timeOf: (document: T) => string | undefined) => (one: T, other: T) => Date.parse(timeOf(other) ?? '1970-01-01') - Date.parse(timeOf(one) ?? '1970-01-01');
	switch (order) {
		case 'updated':
			return matching.sort(newest((document) => document.updated_at));
		case 'created':
			return matching.sort(newest((document) => document.created_at));
		case 'run':
			return matching.sort(newest(ranAt));
		case 'name':
			return matching.sort(byName);
	}
}

/** Names at most three of several things: `A, B, C and 2 more`. */
export function listNames(names: readonly string[]): string {
	const MAX_NAMES = 3;
	const shown = names.slice(0, MAX_NAMES);
	const more = names.length - shown.length;
	return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}

import { createStore, del, get, set, type UseStore } from 'idb-keyval';

/** Unsaved text of a document, kept in this browser. */
export interface KeptDraft {
	text: string;
	/** ETag of the version that it is based on; null if the document was not saved. */
	base: string | null;
	/** Text of that version. Absent in what earlier versions of the page kept. */
	baseText?: string;
	/** When it was kept, as RFC 3339. */
	at: string;
}

let opened: UseStore | undefined;

function store(): UseStore {
	return (opened ??= createStore('apiflow-drafts', 'drafts'));
}

/** Keeps the unsaved text of a document. A browser that refuses storage keeps nothing. */
export async function keepDraft(key: string, draft: KeptDraft): Promise<void> {
	await set(key, draft, store()).catch(() => undefined);
}

/** The kept text of a document, if it differs from `text`. */
export async function findKeptDraft(key: string, text: string): Promise<KeptDraft | null> {
	const kept = await get<KeptDraft>(key, store()).catch(() => undefined);
	return kept && kept.text !== text ? kept : null;
}

/** Forgets the kept text of a document. */
export async function forgetDraft(key: string): Promise<void> {
	await del(key, store()).catch(() => undefined);
}

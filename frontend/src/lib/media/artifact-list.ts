import type { Page } from '#lib/api/documents.ts';
import type { ArtifactInfo } from '#lib/api/types.ts';
import { matchesSearch } from '#lib/documents/document-list.ts';

/** What a list of artifacts shows. */
export interface ArtifactFilter {
	/** Words in the name, the step or the MIME type. */
	search: string;
	/** Only those of these jobs; `null` for all, also uploads. */
	jobs: ReadonlySet<string> | null;
	/** Only those stored since then, as RFC 3339; empty for all. */
	since: string;
}

/** Artifacts to collect before a page of the list is shown. */
const MIN_PAGE_ITEMS = 60;

/** Ages that the list can be limited to. */
export const ARTIFACT_AGES = [
	{ value: '1', label: 'Last 24 hours' },
	{ value: '7', label: 'Last 7 days' },
	{ value: '30', label: 'Last 30 days' }
] as const;

/** Whether an artifact passes a filter. */
export function matchesArtifact({ name, mime, provenance, created_at }: ArtifactInfo, { search, jobs, since }: ArtifactFilter): boolean {
	if (since && Date.parse(created_at) < Date.parse(since)) return false;
	if (jobs && !(provenance && jobs.has(provenance.job))) return false;
	return matchesSearch(search, name ?? '', mime, provenance?.step_id ?? '', provenance?.provider ?? '');
}

/**
 * Reads pages, newest first, until enough artifacts match or the rest is too old. The server filters by type and job
 * only.
 */
export async function collectArtifacts(fetchPage: (cursor: string | undefined) => Promise<Page<ArtifactInfo>>, filter: ArtifactFilter, cursor: string | undefined): Promise<Page<ArtifactInfo>> {
	const items: ArtifactInfo[] = [];
	for (let next = cursor; ; ) {
		const page = await fetchPage(next);
		items.push(...page.items.filter((item) => matchesArtifact(item, filter)));
		const oldest = page.items.at(-1);
		const isTooOld = filter.since !== '' && oldest !== undefined && Date.parse(oldest.created_at) < Date.parse(filter.since);
		if (page.next === null || isTooOld) return { items, next: null };
		if (items.length >= MIN_PAGE_ITEMS) return { items, next: page.next };
		next = page.next;
	}
}

import { expect, it } from 'vitest';
import type { ArtifactInfo } from '#lib/api/types.ts';
import { collectArtifacts, matchesArtifact, type ArtifactFilter } from './artifact-list.ts';

const ALL: ArtifactFilter = { search: '', jobs: null, since: '' };
const artifact = (index: number, job: string | null = null): ArtifactInfo => ({
	artifact: `a${index}`,
	url: '',
	mime: 'image/png',
	size_bytes: 1,
	sha256: '',
	name: index === 1 ? 'Hat photo.png' : null,
	owner: null,
	created_at: `2026-01-${String(28 - index).padStart(2, '0')}T00:00:00Z`,
	last_used_at: '2026-01-28T00:00:00Z',
	provenance: job === null ? null : { job, step: 1, step_id: 'add_hat', provider: 'Replicate', link: null, link_expires_at: null }
});

it.each([
	[{}, true],
	[{ search: 'hat photo' }, true],
	[{ search: 'dog' }, false],
	[{ jobs: new Set(['j']) }, true],
	[{ jobs: new Set(['k']) }, false],
	[{ since: '2026-01-27T00:00:00Z' }, true],
	[{ since: '2026-01-27T00:00:01Z' }, false]
])('matchesArtifact %j', (filter, expected) => expect(matchesArtifact(artifact(1, 'j'), { ...ALL, ...filter })).toBe(expected));

/** Collects from pages of five artifacts, of which every second is of job `j`. */
async function collect(filter: Partial<ArtifactFilter>, count = 20) {
	let pages = 0;
	const all = Array.from({ length: count }, (_, index) => artifact(index % 27, index % 2 === 0 ? 'j' : null));
	const { items, next } = await collectArtifacts(
		async (cursor) => {
			pages += 1;
			const from = Number(cursor ?? 0);
			return { items: all.slice(from, from + 5), next: from + 5 < count ? String(from + 5) : null };
		},
		{ ...ALL, ...filter },
		undefined
	);
	return [items.length, next, pages];
}

it('collectArtifacts reads on until enough match, all are read, or the rest is too old', async () => {
	expect([await collect({ jobs: new Set(['j']) }), await collect({}, 200), await collect({ since: '2026-01-25T00:00:00Z' })]).toEqual([
		[10, null, 4],
		[60, '60', 12],
		[4, null, 1]
	]);
});

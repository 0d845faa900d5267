import { createQuery, type CreateQueryResult } from '@tanstack/svelte-query';
import { unwrap, type Api } from '#lib/api/client.ts';
import type { Job } from '#lib/api/types.ts';
import { JobFeed, type FeedState } from '#lib/jobs/job-feed.svelte.ts';
import { isActive } from '#lib/jobs/jobs.ts';

/** Size from which on inputs and outputs stay on the server until they are asked for, in bytes of JSON. */
export const MAX_VALUE_BYTES = 64_000;

/** Follows a job until it ends: by its event stream, and by polling if the stream fails. Create it while a component is initialized. */
export class JobWatch {
	/** The query of the job, for errors and to fetch it again. */
	readonly query: CreateQueryResult<Job, Error>;
	/** Whether the job has not ended. Derived, so that a change of the job alone does not open its stream anew. */
	readonly isActive: boolean = $derived.by(() => this.job !== undefined && isActive(this.job.status));
	#feed = $state.raw<JobFeed | null>(null);

	/** `id` returns the id of the job to follow; null for none. */
	constructor(api: Api, id: () => string | null) {
		this.query = createQuery(() => ({
			queryKey: ['job', id()],
			queryFn: () => unwrap(api.GET('/api/v1/jobs/{id}', { params: { path: { id: id() ?? '' }, query: { max_value_bytes: MAX_VALUE_BYTES } } })),
			enabled: id() !== null,
			staleTime: 0,
			// Progress creates no events, and a stream may fail, so an active job is also polled.
			refetchInterval: (query) => (query.state.data && isActive(query.state.data.status) ? (this.#feed?.state === 'live' ? 3_000 : 1_500) : false)
		}));
		$effect(() => {
			const followed = id();
			if (followed === null || !this.isActive) return;
			const feed = new JobFeed(new EventSource(`/api/v1/jobs/${encodeURIComponent(followed)}/events`), () => void this.query.refetch());
			this.#feed = feed;
			return () => {
				feed.close();
				this.#feed = null;
			};
		});
	}

	/** The job; `undefined` until it was fetched. */
	get job(): Job | undefined {
		return this.query.data;
	}

	/** State of the event stream; null while there is none. */
	get feedState(): FeedState | null {
		return this.#feed?.state ?? null;
	}
}

import { createQuery, queryOptions, type CreateQueryResult, type QueryClient } from '@tanstack/svelte-query';
import { unwrap, unwrapVersioned, type Api, type Versioned } from '#lib/api/client.ts';
import type { Workflow, WorkflowVersionSummary } from '#lib/api/types.ts';

/** The server keeps at most as many versions of a workflow. */
const MAX_VERSIONS = 100;

/** The versions of a saved workflow. Create it while a component is initialized. */
export class VersionHistory {
	/** All kept versions, newest first. */
	readonly versions: CreateQueryResult<WorkflowVersionSummary[], Error>;

	readonly #api: Api;
	readonly #queries: QueryClient;
	readonly #workflow: string;

	/** `workflow` is the workflow's id. */
	constructor(api: Api, queries: QueryClient, workflow: string) {
		this.#api = api;
		this.#queries = queries;
		this.#workflow = workflow;
		this.versions = createQuery(() => ({
			queryKey: ['workflows', 'versions', workflow],
			queryFn: async () => (await unwrap(api.GET('/api/v1/workflows/{id}/versions', { params: { path: { id: workflow }, query: { limit: MAX_VERSIONS } } }))).items,
			staleTime: 0
		}));
	}

	/** The version before another one; `undefined` for the oldest. */
	before(number: number): WorkflowVersionSummary | undefined {
		return this.versions.data?.find((version) => version.number < number);
	}

	/** The query of a version's content, which never changes. `null` asks for nothing and gives null. */
	content(version: Pick<WorkflowVersionSummary, 'number' | 'saved_at'> | null | undefined) {
		const [api, id] = [this.#api, this.#workflow];
		// A workflow that was deleted and created again counts from 1 again: the time tells its versions from the earlier ones.
		return queryOptions({
			queryKey: ['workflow-version', id, version?.number ?? null, version?.saved_at ?? null],
			queryFn: async (): Promise<Record<string, unknown> | null> => {
				if (!version) return null;
				return (await unwrap(api.GET('/api/v1/workflows/{id}/versions/{number}', { params: { path: { id, number: version.number } } }))).content;
			},
			staleTime: Infinity,
			// A result that is first read after another one has come would otherwise miss its own updates.
			notifyOnChangeProps: 'all'
		});
	}

	/** Saves a version as the newest one, if the workflow still has this ETag. Throws `ProblemError`. */
	async restore(number: number, etag: string | null): Promise<Versioned<Workflow>> {
		const headers = etag === null ? {} : { 'If-Match': etag };
		const restored = await unwrapVersioned(
			this.#api.POST('/api/v1/workflows/{id}/versions/{number}/restore', { params: { path: { id: this.#workflow, number } }, headers })
		);
		await this.#queries.invalidateQueries({ queryKey: ['workflows'] });
		return restored;
	}
}

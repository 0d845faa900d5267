import { unwrap, type Api } from '#lib/api/client.ts';
import type { Core } from '#lib/core.ts';
import type { Layout } from '#lib/graph/flow.ts';

/** A job's own copy of its workflow, with the layout of its graph. */
export interface JobDrawing {
	/** Id of the job. */
	id: string;
	document: Record<string, unknown>;
	/** Documents of the sub-flows, by id of their workflow. */
	workflows: Record<string, unknown>;
	layout: Layout | null;
}

/** Options of the query that fetches a job's own copy of the workflow. It never changes. */
export function jobDocumentQuery(api: Api, core: Core, id: string) {
	return {
		queryKey: ['job', id, 'graph'],
		queryFn: async (): Promise<JobDrawing> => {
			const { document, workflows } = await unwrap(api.GET('/api/v1/jobs/{id}/document', { params: { path: { id } } }));
			return { id, document, workflows, layout: await core.layout<Layout>(document, {}) };
		},
		staleTime: Infinity
	};
}

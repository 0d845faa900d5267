import { unwrap, type Api } from '#lib/api/client.ts';
import type { Step } from '#lib/api/types.ts';
import { isActive } from '#lib/jobs/jobs.ts';

/** Options of the query that fetches the calls of a step; again while the step is active. */
export function callsQuery(api: Api, job: string, step: Pick<Step, 'ordinal' | 'status' | 'attempt'>) {
	return {
		queryKey: ['job', job, 'calls', step.ordinal, step.status, step.attempt],
		queryFn: () => unwrap(api.GET('/api/v1/jobs/{id}/steps/{step}/calls', { params: { path: { id: job, step: String(step.ordinal) } } })),
		refetchInterval: isActive(step.status) ? 2_000 : (false as const)
	};
}

import { unwrap, type Api } from '#lib/api/client.ts';
import type { Call } from '#lib/api/types.ts';
import { parseExcerpt } from '#lib/jobs/jobs.ts';

/** The reply from which the outputs of a node were read: the last one whose JSON is known; `undefined` if there is none. */
export function findSampleReply(calls: readonly Pick<Call, 'reply'>[]): unknown {
	for (const { reply } of calls.toReversed()) {
		const { excerpt, status } = parseExcerpt(reply);
		if (typeof excerpt === 'object' && excerpt !== null && Number(status) < 400) return excerpt;
	}
	return undefined;
}

/** Runs that are searched for a reply. */
const MAX_RUNS = 5;

/** The reply of the last run of a node whose JSON is known; `undefined` if there is none. */
export async function fetchLastReply(api: Api, node: string): Promise<unknown> {
	const jobs = await unwrap(api.GET('/api/v1/jobs', { params: { query: { node_id: node, status: 'completed', limit: MAX_RUNS } } }));
	for (const { id } of jobs.items) {
		const steps = await unwrap(api.GET('/api/v1/jobs/{id}/steps', { params: { path: { id }, query: { limit: 1 } } }));
		if (!steps.items[0]) continue;
		const calls = await unwrap(api.GET('/api/v1/jobs/{id}/steps/{step}/calls', { params: { path: { id, step: String(steps.items[0].ordinal) } } }));
		const reply = findSampleReply(calls.items);
		if (reply !== undefined) return reply;
	}
	return undefined;
}

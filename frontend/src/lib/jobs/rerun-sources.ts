import { unwrap, type Api } from '#lib/api/client.ts';
import { ProblemError } from '#lib/api/problem.ts';
import type { Job, Step } from '#lib/api/types.ts';
import { fieldsForRerun, fieldsFromInputs, fieldsFromSchema, type Field } from '#lib/forms/schema-form.ts';
import { JobStepPages } from '#lib/jobs/job-step-pages.ts';
import { mergeSteps } from '#lib/jobs/jobs.ts';
import { valueAt } from '#lib/pointer.ts';

/** Which documents a rerun runs: those of the job, or those that are saved now. */
export type RerunVersion = 'job' | 'saved';

/** A workflow or node that a rerun can run. */
export interface RerunSource {
	document: unknown;
	/** Fields of its inputs; any JSON object is allowed if there are none. */
	fields: (input: unknown) => Field[];
	/** Number of its version; null if it is not known. */
	number: number | null;
	/** When and by whom it was saved, if it is known. */
	savedAt: string | null;
	savedBy: string | null;
}

/** What a job can be rerun with. */
export interface RerunSources {
	job: Job;
	/** All its steps, with values cut off. */
	steps: Step[];
	own: RerunSource;
	/** Null if the workflow or node was never saved, or was deleted. */
	saved: RerunSource | null;
}

/** Fetches a job with the documents that it can be rerun with. Throws `ProblemError`. */
export async function fetchRerunSources(api: Api, id: string): Promise<RerunSources> {
	const path = { id };
	const [job, { document }] = await Promise.all([unwrap(api.GET('/api/v1/jobs/{id}', { params: { path } })), unwrap(api.GET('/api/v1/jobs/{id}/document', { params: { path } }))]);
	const pages = new JobStepPages((cursor) => unwrap(api.GET('/api/v1/jobs/{id}/steps', { params: { path, query: { cursor, limit: 500, max_value_bytes: 1 } } })));
	const [{ steps }, saved] = await Promise.all([pages.update(job.steps_next), job.workflow_id ? fetchWorkflow(api, job.workflow_id) : job.node_id ? fetchNode(api, job.node_id, document) : null]);
	const fields = job.node_id ? (input: unknown) => saved?.fields(input) ?? [] : (input: unknown) => fieldsForRerun(fieldsFromSchema(valueAt(document, '/schema')), input);
	return { job, steps: mergeSteps(job.steps, steps), own: { document, fields, number: job.workflow_version, savedAt: null, savedBy: null }, saved };
}

async function fetchWorkflow(api: Api, id: string): Promise<RerunSource | null> {
	const params = { path: { id } };
	return orNull(async () => {
		const [{ nodes }, { items }] = await Promise.all([unwrap(api.GET('/api/v1/workflows/{id}', { params })), unwrap(api.GET('/api/v1/workflows/{id}/versions', { params: { ...params, query: { limit: 1 } } }))]);
		const fields = (input: unknown) => fieldsForRerun(fieldsFromSchema(nodes.schema), input);
		return { document: nodes, fields, number: items[0]?.number ?? null, savedAt: items[0]?.saved_at ?? null, savedBy: items[0]?.saved_by_name ?? null };
	});
}

async function fetchNode(api: Api, id: string, document: unknown): Promise<RerunSource | null> {
	return orNull(async () => {
		const { input, updated_at } = await unwrap(api.GET('/api/v1/nodes/{id}', { params: { path: { id } } }));
		return { document, fields: (given: unknown) => fieldsForRerun(fieldsFromInputs(input), given), number: null, savedAt: updated_at, savedBy: null };
	});
}

/** Null for a document that does not exist. */
async function orNull<T>(read: () => Promise<T>): Promise<T | null> {
	try {
		return await read();
	} catch (error) {
		if (error instanceof ProblemError && error.status === 404) return null;
		throw error;
	}
}

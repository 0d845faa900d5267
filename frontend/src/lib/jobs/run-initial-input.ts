import { unwrap, type Api } from '#lib/api/client.ts';
import { inputWithArtifact } from '#lib/media/artifact-input.ts';
import type { Field } from '#lib/forms/schema-form.ts';

/** Fetches the input that the address of a run page asks for: that of the job `from`, or one with the file `artifact`. */
export async function fetchInitialInput(api: Api, search: URLSearchParams, fields: readonly Field[]): Promise<unknown> {
	const from = search.get('from');
	if (from) return (await unwrap(api.GET('/api/v1/jobs/{id}', { params: { path: { id: from } } }))).input;
	const artifact = search.get('artifact');
	if (artifact) return inputWithArtifact(fields, await unwrap(api.GET('/api/v1/artifacts/{id}/info', { params: { path: { id: artifact } } })));
	return undefined;
}

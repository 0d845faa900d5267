import { toProblemError } from './problem.ts';
import type { components } from './schema.ts';

/** A file that the server keeps, as a value of an input. */
export type Artifact = components['schemas']['Artifact'];

/** Uploads a file. It is streamed as it is, so its size is not limited by the page's memory. Throws `ProblemError`. */
export async function uploadArtifact(file: File): Promise<Artifact> {
	const name = encodeURIComponent(file.name);
	const response = await fetch(`/api/v1/artifacts?name=${name}`, {
		method: 'PUT',
		body: file,
		headers: { 'content-type': file.type || 'application/octet-stream' }
	}).catch((error: unknown) => {
		throw toProblemError(error);
	});
	const body: unknown = await response.json().catch(() => null);
	if (!response.ok) throw toProblemError(body, response);
	return body as Artifact;
}

import type { Artifact } from '#lib/api/artifacts.ts';
import { artifactKind } from '#lib/media/artifacts.ts';
import type { Field } from '#lib/forms/schema-form.ts';

/** Names of text inputs that usually hold the URL of a file. */
const URL_NAME = /image|picture|photo|video|audio|file|media|url|mask/i;

/** The input that takes a file: first one of its type, then one for any file, then a text that usually is a URL. */
export function findFileField(fields: readonly Field[], artifact: Pick<Artifact, 'mime'>): Field | undefined {
	const kind = artifactKind(artifact);
	return (
		fields.find((field) => field.kind === kind) ??
		fields.find((field) => field.kind === 'file') ??
		fields.find((field) => field.kind === 'text' && URL_NAME.test(field.name))
	);
}

/** Input of a run that uses a kept file: the object of the file, or its URL where a string is expected. */
export function inputWithArtifact(fields: readonly Field[], artifact: Artifact): Record<string, unknown> {
	const field = findFileField(fields, artifact);
	return field ? { [field.name]: field.kind === 'text' ? artifact.url : artifact } : {};
}

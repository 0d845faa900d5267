import type { ArtifactInfo } from '#lib/api/types.ts';
import type { Media } from '#lib/media/media.ts';

/** Kind of a kept file, by its MIME type. */
export function artifactKind({ mime }: Pick<ArtifactInfo, 'mime'>): Media['kind'] {
	const family = mime.split('/')[0];
	return family === 'image' || family === 'video' || family === 'audio' ? family : 'file';
}

/** URL of a kept file on the page's own origin; with `width`, of a thumbnail. */
export function artifactUrl(id: string, width?: 320 | 640): string {
	return `/api/v1/artifacts/${encodeURIComponent(id)}${width ? `?w=${width}` : ''}`;
}

/** Name of a kept file: the step that made it, because providers name files at random, or the name of an upload. */
export function artifactName({ artifact, name, provenance }: Pick<ArtifactInfo, 'artifact' | 'name' | 'provenance'>): string {
	return provenance?.step_id || name || artifact;
}

import type { ArtifactInfo } from '#lib/api/types.ts';
import type { Artifact } from '#lib/api/artifacts.ts';
import { artifactKind } from '#lib/media/artifacts.ts';

/** The parts of a file that say whether an input takes it. */
export type FileFacts = Pick<File, 'name' | 'type' | 'size'>;

const PLURALS: Record<string, string> = { image: 'images', video: 'videos', audio: 'audio files', file: 'files' };

/** Says why an input of a kind does not take a file; empty if it does. A file of an unknown type is left to the server. */
export function checkFile({ name, type, size }: FileFacts, kind: string, accept: readonly string[]): string {
	if (size === 0) return `${name} is empty`;
	if (type === '') return '';
	const family = type.split('/')[0] ?? '';
	if (kind !== 'file' && family !== kind) return `${name} is ${describeType(type)}; this input takes ${PLURALS[kind] ?? kind}`;
	return isAccepted(type, accept) ? '' : `${name} is ${type}; this input takes ${accept.join(', ')}`;
}

/** Whether a MIME type is among those of an input: `image/png`, `image/*`. An empty list accepts all. */
export function isAccepted(type: string, accept: readonly string[]): boolean {
	return accept.length === 0 || accept.some((pattern) => pattern === type || pattern === '*/*' || (pattern.endsWith('/*') && type.startsWith(pattern.slice(0, -1))));
}

function describeType(type: string): string {
	const family = type.split('/')[0] ?? '';
	return family === 'image' || family === 'audio' ? `an ${family} file` : family === 'video' ? 'a video' : type;
}

/** The value of an input that gets a file of the server. */
export function toArtifact({ artifact, mime, name, sha256, size_bytes, url, width, height, duration_s }: ArtifactInfo): Artifact {
	return { artifact, mime, name, sha256, size_bytes, url, width, height, duration_s };
}

/** Files that match a search by name, step, provider or type. */
export function filterArtifacts(items: readonly ArtifactInfo[], search: string): ArtifactInfo[] {
	const words = search.trim().toLowerCase().split(/\s+/).filter(Boolean);
	return items.filter((item) => {
		const { name, artifact, mime, provenance } = item;
		const text = [name, artifact, mime, artifactKind(item), provenance?.step_id, provenance?.provider].join(' ').toLowerCase();
		return words.every((word) => text.includes(word));
	});
}

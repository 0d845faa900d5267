import { detectMedia, readArtifact } from './media.ts';

/**
 * What of a value has to be read as JSON if its files are shown: the fields of an object that are no files, or the whole
 * value if it is no object. `undefined` if nothing is left.
 */
export function valueBesideMedia(value: unknown, origin: string): unknown {
	if (isFile(value, origin)) return undefined;
	if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
	const fields = Object.entries(value);
	const others = fields.filter(([, field]) => !isFile(field, origin));
	if (others.length === fields.length) return value;
	return others.length === 0 ? undefined : Object.fromEntries(others);
}

/** Whether a value is a file, or a list of files. */
function isFile(value: unknown, origin: string): boolean {
	if (typeof value === 'string') return detectMedia(value, origin) !== undefined;
	if (Array.isArray(value)) return value.length > 0 && value.every((item) => isFile(item, origin));
	return typeof value === 'object' && value !== null && readArtifact(value, origin) !== undefined;
}

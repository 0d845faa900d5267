import { plural } from '#lib/format.ts';
import { isObject } from './modules.ts';

/** Longest description of a value. */
const MAX_LENGTH = 120;

/** Longest JSON of an object; of a larger one, only the keys are shown. */
const MAX_OBJECT_LENGTH = 40;

/** Describes a value of the last run in one line: the name of a file, the size of a list, short text or JSON. */
export function describeLiveValue(value: unknown): string {
	if (isObject(value) && typeof value.artifact === 'string') {
		const size = typeof value.width === 'number' && typeof value.height === 'number' ? ` ${value.width} × ${value.height}` : '';
		return `${typeof value.name === 'string' ? value.name : String(value.mime ?? 'file')}${size}`;
	}
	if (Array.isArray(value) && (value.length > 3 || value.some((item) => typeof item === 'object' && item !== null))) return plural(value.length, 'item');
	const text = (typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).replaceAll(/\s+/g, ' ');
	if (isObject(value) && text.length > MAX_OBJECT_LENGTH) return `{ ${Object.keys(value).join(', ')} }`.slice(0, MAX_LENGTH);
	return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}…` : text;
}

import { isObject } from './modules.ts';

/** How an input gets its value: a fixed value, or a JavaScript expression. */
export type InputTransform = { type: 'static'; value?: unknown } | { type: 'javascript'; expr: string };

/** Reads an input transform; `null` if it is absent or has another form. */
export function readTransform(value: unknown): InputTransform | null {
	if (!isObject(value)) return null;
	if (value.type === 'javascript') return { type: 'javascript', expr: typeof value.expr === 'string' ? value.expr : '' };
	return value.type === 'static' ? { type: 'static', value: value.value } : null;
}

/** Reads the text of a field as a value of a type. A text that is no JSON is a string where any value is allowed. */
export function parseTyped(text: string, type: string): { value: unknown } | { error: string } {
	switch (type) {
		case 'number':
		case 'integer': {
			const value = Number(text);
			if (text.trim() === '' || !Number.isFinite(value)) return { error: 'must be a number' };
			if (type === 'integer' && !Number.isInteger(value)) return { error: 'must be a whole number' };
			return { value };
		}
		case 'object':
		case 'array':
		case '': {
			try {
				const value = JSON.parse(text) as unknown;
				if (type === 'array' && !Array.isArray(value)) return { error: 'must be a list: [ … ]' };
				if (type === 'object' && !isObject(value)) return { error: 'must be an object: { … }' };
				return { value };
			} catch {
				return type === '' ? { value: text } : { error: 'invalid JSON; strings need quotes' };
			}
		}
		default:
			return { value: text };
	}
}

/** The text of a value for its field. */
export function formatTyped(value: unknown, type: string): string {
	if (value === undefined || value === null) return '';
	if (typeof value === 'string' && type !== 'object' && type !== 'array') return value;
	return JSON.stringify(value, null, 2);
}

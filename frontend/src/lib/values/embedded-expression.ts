import { isObject } from '#lib/workflow/modules.ts';

/** A JavaScript expression as a part of a value that otherwise is fixed. */
export class EmbeddedExpression {
	/** The JavaScript source. */
	readonly source: string;

	constructor(source: string) {
		this.source = source;
	}
}

/** Whether a value has an expression somewhere inside it. */
export function hasExpression(value: unknown): boolean {
	if (value instanceof EmbeddedExpression) return true;
	if (Array.isArray(value)) return value.some(hasExpression);
	return isObject(value) && Object.values(value).some(hasExpression);
}

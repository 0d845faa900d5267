import type { Diagnostic, ProblemBody } from '#lib/api/types.ts';
import { parsePointer } from '#lib/pointer.ts';
import type { Problem } from '#lib/problems.ts';

/** A request that the server refused, or that did not reach it (`status` 0). */
export class ProblemError extends Error {
	/** The RFC 9457 problem body. */
	readonly body: ProblemBody;

	constructor(body: ProblemBody) {
		super(body.detail || body.title);
		this.name = 'ProblemError';
		this.body = body;
	}

	get status(): number {
		return this.body.status;
	}
}

/** Converts the error of a failed request to a `ProblemError`: a problem body, another body, or an exception. */
export function toProblemError(error: unknown, response?: Response): ProblemError {
	if (error instanceof ProblemError) return error;
	if (isProblemBody(error)) return new ProblemError(error);
	const status = response?.status ?? 0;
	return new ProblemError({
		type: 'about:blank',
		title: status === 0 ? 'No connection' : response?.statusText || 'Error',
		status,
		code: status === 0 ? 'unreachable' : 'unexpected_reply',
		detail:
			status === 0
				? 'could not reach the server; check that it is running and try again'
				: `the server returned status ${status} without details`
	});
}

function isProblemBody(value: unknown): value is ProblemBody {
	return (
		typeof value === 'object' && value !== null && 'status' in value && 'title' in value && typeof value.title === 'string'
	);
}

/** Converts diagnostics of a document to problems, with `prefix` added to their JSON Pointers. */
export function toProblems(diagnostics: readonly Diagnostic[], prefix: string): Problem[] {
	return diagnostics.map(({ code, severity, pointer, message, help, span, fix }) => ({
		code,
		severity,
		pointer: prefix + pointer,
		message: help ? `${message}: ${help}` : message,
		span,
		fix: fix && { label: fix.label, pointer: prefix + fix.pointer, value: fix.value }
	}));
}

/**
 * Converts the details of an error to problems. `errors` point into the request body; `diagnostics` point into the
 * OpenFlow document, which is at `prefix` of the body.
 */
export function problemsOfError(error: ProblemError | null, prefix: string): Problem[] {
	if (!error) return [];
	const faults = (error.body.errors ?? []).map(({ pointer, message, help }) => ({
		severity: 'error' as const,
		pointer,
		message: help ? `${message}: ${help}` : message
	}));
	return [...faults, ...toProblems(error.body.diagnostics ?? [], prefix)];
}

/**
 * Returns error messages by form field: an error at `/<root>/<name>` or below belongs to the field `name`. An error at
 * the root has an empty name.
 */
export function fieldErrors(error: ProblemError, root: string): Record<string, string> {
	const found: Record<string, string> = {};
	for (const { pointer, message } of error.body.errors ?? []) {
		const [first, name = '', ...deeper] = parsePointer(pointer);
		if (first === root) found[name] ??= deeper.length > 0 ? `${deeper.join('.')}: ${message}` : message;
	}
	return found;
}

import type { Diagnostic, ProblemBody } from '#lib/api/types.ts';
import { tokens } from '#lib/pointer.ts';
import type { Problem } from '#lib/problems.ts';

/** A call that the server refused, or that never reached it (`status` 0). */
export class ProblemError extends Error {
	/** The server's own words, as RFC 9457 has it. */
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

/** Makes a problem of whatever a failed call gave: a problem's body, another body, or an exception. */
export function problemOf(error: unknown, response?: Response): ProblemError {
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
				? 'the server cannot be reached; check that it runs, then try again'
				: `the server answered ${status} without saying why`
	});
}

function isProblemBody(value: unknown): value is ProblemBody {
	return (
		typeof value === 'object' && value !== null && 'status' in value && 'title' in value && typeof value.title === 'string'
	);
}

/** What is wrong with a document, with its pointers moved under `prefix`. */
export function problemsOf(diagnostics: readonly Diagnostic[], prefix: string): Problem[] {
	return diagnostics.map(({ severity, pointer, message, help, span, fix }) => ({
		severity,
		pointer: prefix + pointer,
		message: help ? `${message}: ${help}` : message,
		span,
		fix: fix && { label: fix.label, pointer: prefix + fix.pointer, value: fix.value }
	}));
}

/**
 * The places that a refusal names, as findings. `errors` point into the request's body; `diagnostics` point into a
 * workflow's OpenFlow document, which lies at `prefix` of the body.
 */
export function refusals(error: ProblemError | null, prefix: string): Problem[] {
	if (!error) return [];
	const faults = (error.body.errors ?? []).map(({ pointer, message, help }) => ({
		severity: 'error' as const,
		pointer,
		message: help ? `${message}: ${help}` : message
	}));
	return [...faults, ...problemsOf(error.body.diagnostics ?? [], prefix)];
}

/**
 * What a refusal says against the fields of a form, by field: a fault at `/<root>/<name>` or deeper. A fault at the
 * root itself has the empty name.
 */
export function faultsOf(error: ProblemError, root: string): Record<string, string> {
	const found: Record<string, string> = {};
	for (const { pointer, message } of error.body.errors ?? []) {
		const [first, name = '', ...deeper] = tokens(pointer);
		if (first === root) found[name] ??= deeper.length > 0 ? `${deeper.join('.')}: ${message}` : message;
	}
	return found;
}

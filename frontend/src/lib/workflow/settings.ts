import { isObject, type Module } from './modules.ts';

/** The kind of a module's `retry`. */
export type RetryKind = 'constant' | 'exponential';

/** A module's retry as the form shows it. */
export interface RetryForm {
	kind: RetryKind;
	attempts: number | undefined;
	seconds: number | undefined;
	multiplier: number | undefined;
}

/** Reads a module's `retry`; the kind that has attempts counts, first the constant one. */
export function readRetry(retry: unknown): RetryForm {
	const fields = isObject(retry) ? retry : {};
	const constant = isObject(fields.constant) ? fields.constant : {};
	const exponential = isObject(fields.exponential) ? fields.exponential : {};
	const isExponential = !(Number(constant.attempts) > 0) && Object.keys(exponential).length > 0;
	const chosen = isExponential ? exponential : constant;
	const number = (value: unknown) => (typeof value === 'number' ? value : undefined);
	return {
		kind: isExponential ? 'exponential' : 'constant',
		attempts: number(chosen.attempts),
		seconds: number(chosen.seconds),
		multiplier: number(exponential.multiplier)
	};
}

/** Writes a retry. Other settings of it, such as its condition, stay. */
export function writeRetry(before: unknown, { kind, attempts, seconds, multiplier }: RetryForm): Record<string, unknown> {
	const { constant: _constant, exponential: _exponential, ...others } = isObject(before) ? before : {};
	return kind === 'constant'
		? { ...others, constant: { attempts: attempts ?? 0, seconds: seconds ?? 0 } }
		: { ...others, exponential: { attempts: attempts ?? 0, seconds: seconds ?? 1, multiplier: multiplier ?? 1 } };
}

/** Initial values of settings that a user switches on. */
export const NEW_SETTINGS = {
	retry: { constant: { attempts: 3, seconds: 5 } },
	timeout: 300,
	suspend: { required_events: 1, timeout: 86_400 },
	stop_after_if: { expr: 'false', skip_if_stopped: false },
	skip_if: { expr: 'false' },
	cache_ttl: 3600,
	sleep: { type: 'static', value: 10 },
	continue_on_error: true
} as const;

/** The expression of a condition such as `skip_if`. */
export function readCondition(value: unknown): string {
	return isObject(value) && typeof value.expr === 'string' ? value.expr : '';
}

/** Whether a step's result is replaced by a fixed one. */
export function isMocked(module: Module): boolean {
	return isObject(module.mock) && module.mock.enabled === true;
}

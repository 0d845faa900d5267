import { isObject, type Module } from './modules.ts';

/** Which delays a module's `retry` has: the same each time, growing, or first the same and then growing. */
export type RetryKind = 'constant' | 'exponential' | 'both';

/** A module's `retry` as the form shows it. */
export interface RetryForm {
	kind: RetryKind;
	constant: { attempts: number | undefined; seconds: number | undefined };
	exponential: { attempts: number | undefined; seconds: number | undefined; multiplier: number | undefined; random: number | undefined };
}

/** Longest delay between attempts, in seconds. Source: OpenFlow, six hours. */
const MAX_DELAY_S = 6 * 60 * 60;

/** Reads a module's `retry`. A part without attempts is not in effect. */
export function readRetry(retry: unknown): RetryForm {
	const fields = isObject(retry) ? retry : {};
	const constant = isObject(fields.constant) ? fields.constant : {};
	const exponential = isObject(fields.exponential) ? fields.exponential : {};
	const grows = Object.keys(exponential).length > 0 && exponential.attempts !== 0;
	return {
		kind: !grows ? 'constant' : Number(constant.attempts) > 0 ? 'both' : 'exponential',
		constant: { attempts: number(constant.attempts), seconds: number(constant.seconds) },
		exponential: { attempts: number(exponential.attempts), seconds: number(exponential.seconds), multiplier: number(exponential.multiplier), random: number(exponential.random_factor) }
	};
}

function number(value: unknown): number | undefined {
	return typeof value === 'number' ? value : undefined;
}

/** Writes a retry. Other settings of it, such as its condition, stay. A number that is missing becomes a usual one. */
export function writeRetry(before: unknown, { kind, constant, exponential }: RetryForm): Record<string, unknown> {
	const next: Record<string, unknown> = isObject(before) ? { ...before } : {};
	if (kind === 'exponential') delete next.constant;
	else next.constant = { attempts: constant.attempts ?? 3, seconds: constant.seconds ?? 5 };
	const random = exponential.random === undefined ? {} : { random_factor: exponential.random };
	if (kind === 'constant') delete next.exponential;
	else next.exponential = { attempts: exponential.attempts ?? 3, multiplier: exponential.multiplier ?? 1, seconds: exponential.seconds ?? 2, ...random };
	return next;
}

/** The delays before the retries, in seconds, without the random part. */
export function listDelays({ kind, constant, exponential }: RetryForm, limit = 6): number[] {
	const same = kind === 'exponential' ? 0 : (constant.attempts ?? 0);
	const growing = kind === 'constant' ? 0 : (exponential.attempts ?? 0);
	const { seconds = 0, multiplier = 1 } = exponential;
	return Array.from({ length: Math.min(same + growing, limit) }, (_, retry) => (retry < same ? (constant.seconds ?? 0) : Math.min(multiplier * seconds ** (retry + 1), MAX_DELAY_S)));
}

/** A setting that is a number or an expression. */
export type NumberSetting = { kind: 'number'; value: number | undefined } | { kind: 'expression'; source: string };

/** Reads a number that the document gives as such, or as a transform. */
export function readNumberSetting(value: unknown): NumberSetting {
	if (isObject(value) && value.type === 'javascript') return { kind: 'expression', source: typeof value.expr === 'string' ? value.expr : '' };
	return { kind: 'number', value: number(isObject(value) ? value.value : value) };
}

/** Writes a number in the form that the document has it in: as such, or as a transform. */
export function writeNumberSetting(value: number | undefined, isTransform: boolean): unknown {
	return value === undefined || !isTransform ? value : { type: 'static', value };
}

/** Initial values of settings that a user switches on. */
export const NEW_SETTINGS = {
	retry: { constant: { attempts: 3, seconds: 5 } },
	timeout: 300,
	suspend: { required_events: 1, timeout: 86_400 },
	stop_after_if: { expr: 'false', skip_if_stopped: false },
	stop_after_all_iters_if: { expr: 'false', skip_if_stopped: false },
	skip_if: { expr: 'false' },
	cache_ttl: 3600,
	sleep: { type: 'static', value: 10 },
	continue_on_error: true,
	delete_after_secs: 0
} as const;

/** The expression of a condition such as `skip_if`. */
export function readCondition(value: unknown): string {
	return isObject(value) && typeof value.expr === 'string' ? value.expr : '';
}

/** Whether a step's result is replaced by a fixed one. */
export function isMocked(module: Module): boolean {
	return isObject(module.mock) && module.mock.enabled === true;
}

/** Settings that have an effect on a module, by its type. Source: the core's checks of ignored fields. */
export function supportsSetting(module: Module, setting: keyof typeof NEW_SETTINGS | 'fallback'): boolean {
	const type = module.value?.type ?? '';
	switch (setting) {
		case 'cache_ttl':
			return ['script', 'rawscript', 'flow'].includes(type);
		case 'stop_after_if':
			return type !== 'branchall';
		case 'stop_after_all_iters_if':
			return type === 'branchall' || type.endsWith('loopflow');
		case 'fallback':
			return type === 'script';
		default:
			return true;
	}
}

/** After how many seconds the values of a step are erased; `undefined` for never. */
export function readErasure({ delete_after_use, delete_after_secs }: Record<string, unknown>): number | undefined {
	return number(delete_after_secs) ?? (delete_after_use === true ? 0 : undefined);
}

/** Most attempts that a module makes: its first and its retries of both kinds; `undefined` if it is not retried. */
export function maxAttempts({ retry }: Module): number | undefined {
	const { constant, exponential } = readRetry(retry);
	const retries = Math.max(0, constant.attempts ?? 0) + Math.max(0, exponential.attempts ?? 0);
	return retries === 0 ? undefined : retries + 1;
}

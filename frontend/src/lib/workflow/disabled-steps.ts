import { isObject, type Module } from './modules.ts';

const SKIP_ALWAYS = 'true';
const SKIP_PREFIX = 'true || (';

/** Whether a step never runs, because a user disabled it. */
export function isDisabled(module: Module): boolean {
	const expression = readSkipCondition(module);
	return expression === SKIP_ALWAYS || (expression.startsWith(SKIP_PREFIX) && expression.endsWith(')'));
}

/** Expression under which a step is skipped; empty if there is none. */
export function readSkipCondition({ skip_if }: Module): string {
	return isObject(skip_if) && typeof skip_if.expr === 'string' ? skip_if.expr : '';
}

/** Expression that always skips a step and keeps its own condition. */
export function disableCondition(own: string): string {
	return own ? `${SKIP_PREFIX}${own})` : SKIP_ALWAYS;
}

/** The own condition of a disabled step; empty if it had none. */
export function enableCondition(disabled: string): string {
	return disabled === SKIP_ALWAYS ? '' : disabled.slice(SKIP_PREFIX.length, -1);
}

import { isObject, type Module } from '#lib/workflow/modules.ts';
import { isDisabled } from '#lib/workflow/disabled-steps.ts';

/** A setting of a step that its card shows. */
export type Badge = 'disabled' | 'mock' | 'approval' | 'retry' | 'timeout' | 'cache' | 'sleep' | 'stop' | 'skip' | 'errors';

/** Texts of the badges. */
export const BADGE_TITLES: Record<Badge, string> = {
	disabled: 'disabled',
	mock: 'uses a fixed result',
	approval: 'waits for approval',
	retry: 'retried after a failure',
	timeout: 'limited in time',
	cache: 'results are cached',
	sleep: 'waits before the next step',
	stop: 'may stop the workflow',
	skip: 'skipped under a condition',
	errors: 'the workflow goes on after a failure'
};

/** The settings of a step that its card shows, the most important first. */
export function badgesOf(module: Module | undefined): Badge[] {
	if (!module) return [];
	const badges: [Badge, boolean][] = [
		['disabled', isDisabled(module)],
		['mock', isObject(module.mock) && module.mock.enabled === true],
		['approval', isObject(module.suspend)],
		['retry', isObject(module.retry)],
		['timeout', module.timeout !== undefined && module.timeout !== null],
		['cache', typeof module.cache_ttl === 'number'],
		['sleep', isObject(module.sleep)],
		['stop', isObject(module.stop_after_if)],
		['skip', isObject(module.skip_if) && !isDisabled(module)],
		['errors', module.continue_on_error === true]
	];
	return badges.filter(([, shown]) => shown).map(([badge]) => badge);
}

/** Kind of a step for its icon: `race` and `approval` are forms of other types. */
export function stepKind(kind: string, module: Module | undefined): string {
	if (kind === 'branchall' && module?.value?.race === true) return 'race';
	if (kind === 'identity' && isObject(module?.suspend)) return 'approval';
	return kind;
}

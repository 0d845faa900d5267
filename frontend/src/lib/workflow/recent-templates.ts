import { readRecentKeys, rememberKey } from '#lib/lists/recent-keys.ts';
import type { StepTemplate } from './step-templates.ts';

const STORAGE_KEY = 'apiflow.recent-steps';
const MAX_RECENT = 5;

/** The part of `Storage` that is used. */
type Memory = Pick<Storage, 'getItem' | 'setItem'>;

/** The templates that this browser inserted last, newest first. */
export function listRecent(templates: readonly StepTemplate[], memory: Memory = localStorage): StepTemplate[] {
	return readRecentKeys(STORAGE_KEY, memory).flatMap((key) => templates.find((template) => template.key === key) ?? []);
}

/** Remembers that a template was inserted. */
export function rememberRecent(key: string, memory: Memory = localStorage): void {
	rememberKey(STORAGE_KEY, key, MAX_RECENT, memory);
}

import type { StepTemplate } from './step-templates.ts';

const STORAGE_KEY = 'apiflow.recent-steps';
const MAX_RECENT = 5;

/** The part of `Storage` that is used. */
type Memory = Pick<Storage, 'getItem' | 'setItem'>;

function readKeys(memory: Memory): string[] {
	try {
		const keys = JSON.parse(memory.getItem(STORAGE_KEY) ?? '[]') as unknown;
		return Array.isArray(keys) ? keys.filter((key) => typeof key === 'string') : [];
	} catch {
		return [];
	}
}

/** The templates that this browser inserted last, newest first. */
export function listRecent(templates: readonly StepTemplate[], memory: Memory = localStorage): StepTemplate[] {
	return readKeys(memory).flatMap((key) => templates.find((template) => template.key === key) ?? []);
}

/** Remembers that a template was inserted. */
export function rememberRecent(key: string, memory: Memory = localStorage): void {
	const keys = [key, ...readKeys(memory).filter((other) => other !== key)].slice(0, MAX_RECENT);
	try {
		memory.setItem(STORAGE_KEY, JSON.stringify(keys));
	} catch {
		// The storage is full or refused. Nothing depends on it.
	}
}

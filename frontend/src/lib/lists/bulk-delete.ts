import { toProblemError } from '#lib/api/problem.ts';
import { listNames } from '#lib/documents/document-list.ts';
import { plural } from '#lib/format.ts';

/** What can be selected and deleted in a list. */
export interface Deletable {
	id: string;
	name: string;
	/** Names of what uses it and keeps it from being deleted. */
	usedBy?: readonly string[];
	/** Whether it can't be created again as it was. */
	isFinal?: boolean;
}

/** What became of several deletions. */
export interface DeletionResult<T> {
	deleted: T[];
	failed: { item: T; reason: string }[];
}

/**
 * Deletes several items. One that is refused does not stop the others. What was refused is tried again as long as others
 * were deleted, because it may have been used only by them.
 */
export async function deleteEach<T>(items: readonly T[], remove: (item: T) => Promise<void>): Promise<DeletionResult<T>> {
	const deleted: T[] = [];
	let open = [...items];
	for (;;) {
		const failed: DeletionResult<T>['failed'] = [];
		for (const item of open) {
			try {
				await remove(item);
				deleted.push(item);
			} catch (error) {
				failed.push({ item, reason: toProblemError(error).message });
			}
		}
		if (failed.length === 0 || failed.length === open.length) return { deleted, failed };
		open = failed.map(({ item }) => item);
	}
}

/** Says what was deleted and what was not, with the first reason. */
export function describeDeletion({ deleted, failed }: DeletionResult<Deletable>, word: string): string {
	const done = deleted.length === 1 ? `Deleted ${word} ${deleted[0]!.name}.` : deleted.length > 0 ? `Deleted ${plural(deleted.length, word)}.` : '';
	const refused = failed.length > 0 ? `Could not delete ${listNames(failed.map(({ item }) => item.name))}: ${failed[0]!.reason}.` : '';
	return [done, refused].filter(Boolean).join(' ');
}

/** Items that nothing uses, or that only other items to be deleted use, and the others. */
export function splitByUse<T extends Deletable>(items: readonly T[]): { free: T[]; used: T[] } {
	const names = new Set(items.map(({ name }) => name));
	const isFree = ({ usedBy = [] }: T) => usedBy.every((name) => names.has(name));
	return { free: items.filter(isFree), used: items.filter((item) => !isFree(item)) };
}

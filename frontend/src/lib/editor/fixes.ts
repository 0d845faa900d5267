import { valueAt } from '#lib/pointer.ts';
import type { Fix } from '#lib/problems.ts';
import { applyTextChanges, JsonEdit, type TextChange, type TextEdit } from './json-edit.ts';
import { updateValue } from './json-update.ts';

/** Builds the edit that applies fixes, as far as their places still exist. Fixes that overlap an earlier one are left out. */
export function applyFixes(text: string, fixes: readonly Fix[]): TextEdit {
	const changes = withoutOverlaps(fixes.flatMap((fix) => ('changes' in fix ? fix.changes : [])));
	const groups = changes.length > 0 ? [changes] : [];
	const values = fixes.flatMap((fix) => ('pointer' in fix ? [fix] : []));
	if (values.length === 0) return groups;
	try {
		const edit = new JsonEdit(applyTextChanges(text, changes));
		for (const fix of values) {
			if (valueAt(edit.value, fix.pointer) === undefined) continue;
			if ('name' in fix) edit.rename(fix.pointer, fix.name);
			else updateValue(edit, fix.pointer, fix.value);
		}
		return [...groups, ...edit.changes];
	} catch {
		// The text is still not JSON, so there are no places for values.
		return groups;
	}
}

/** Changes in order of their places, without those that overlap an earlier one. */
function withoutOverlaps(changes: readonly TextChange[]): TextChange[] {
	const kept: TextChange[] = [];
	for (const change of changes.toSorted((one, other) => one.from - other.from || one.to - other.to)) {
		const last = kept.at(-1);
		if (!last || change.from > last.to || (change.from === last.to && change.to > change.from)) kept.push(change);
	}
	return kept;
}

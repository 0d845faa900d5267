import { isMediaType } from '#lib/media/media.ts';
import type { ScopeEntry } from './scope.ts';

/** Whether a value of one type can be used where another is expected. Unknown types fit everywhere. */
export function isCompatible(found: string, expected: string): boolean {
	if (found === '' || expected === '' || found === expected) return true;
	if (expected === 'number') return found === 'integer';
	if (expected === 'string') return isMediaType(found);
	if (isMediaType(expected)) return found === 'string' || found === 'file' || (expected === 'file' && isMediaType(found));
	return false;
}

/** Entries that match a search, with those above and inside them. */
export function filterScope(entries: readonly ScopeEntry[], search: string): ScopeEntry[] {
	const wanted = search.trim().toLowerCase();
	if (wanted === '') return [...entries];
	return entries.flatMap((found) => {
		if (found.label.toLowerCase().includes(wanted) || found.expression.toLowerCase().includes(wanted)) return [found];
		const children = filterScope(found.children, wanted);
		return children.length > 0 ? [{ ...found, children }] : [];
	});
}

/** Sorts values so that those that fit a type come first, and those that contain one that does. The order otherwise stays. */
export function sortByFit(entries: readonly ScopeEntry[], wanted: string): ScopeEntry[] {
	if (!isMediaType(wanted)) return [...entries];
	const fits = (found: ScopeEntry): boolean => found.type === wanted || found.children.some(fits);
	const sorted = entries.map((found) => ({ ...found, children: sortByFit(found.children, wanted) }));
	return [...sorted.filter(fits), ...sorted.filter((found) => !fits(found))];
}

/** Value of an expression in the last run, if the expression is a plain path; `undefined` if it is unknown. */
export function readPlainPath(expression: string, scope: readonly ScopeEntry[]): unknown {
	return findEntry(expression, scope)?.sample;
}

/** The entry that a plain path leads to. */
export function findEntry(expression: string, scope: readonly ScopeEntry[]): ScopeEntry | undefined {
	const wanted = expression.trim().replaceAll('?.', '.');
	for (const found of scope) {
		if (found.expression === wanted) return found;
		const inner = isPrefix(found.expression, wanted) ? findEntry(wanted, found.children) : undefined;
		if (inner) return inner;
	}
	return undefined;
}

function isPrefix(expression: string, wanted: string): boolean {
	return wanted.startsWith(expression) && /^[.[]/.test(wanted.slice(expression.length));
}

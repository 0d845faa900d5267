import { toProblems } from '#lib/api/problem.ts';
import type { Diagnostic } from '#lib/api/types.ts';
import { formatPointer, parsePointer, valueAt } from '#lib/pointer.ts';
import type { Fix, Problem } from '#lib/problems.ts';
import { isObject } from '#lib/workflow/modules.ts';

/** Converts findings about connectors and nodes, with fixes where the help names what was meant: a field that is misspelt, or a value. */
export function toFixableProblems(document: unknown, found: readonly Diagnostic[]): Problem[] {
	return toProblems(found, '').map((problem, index) => ({ ...problem, fix: problem.fix ?? findFix(document, found[index]!) }));
}

function findFix(document: unknown, { code, pointer, help }: Diagnostic): Fix | null {
	const meant = /^did you mean `([^`]+)`\?$/.exec(help ?? '')?.[1];
	if (meant === undefined) return null;
	if (code !== 'unknown-field') return typeof valueAt(document, pointer) === 'string' ? { label: `change to \`${meant}\``, pointer, value: meant } : null;
	const fields = valueAt(document, formatPointer(parsePointer(pointer).slice(0, -1)));
	if (!isObject(fields) || Object.hasOwn(fields, meant)) return null;
	return { label: `rename to \`${meant}\``, pointer, name: meant };
}

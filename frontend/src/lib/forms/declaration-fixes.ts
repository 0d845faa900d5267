import type { Diagnostic } from '#lib/api/types.ts';
import { formatPointer, parsePointer, valueAt } from '#lib/pointer.ts';
import { isObject } from '#lib/workflow/modules.ts';

/** Adds fixes to findings about connectors and nodes whose help names what was meant: a field that is misspelt, or a value. */
export function addFixes(document: unknown, found: readonly Diagnostic[]): Diagnostic[] {
	return found.map((diagnostic) => ({ ...diagnostic, fix: diagnostic.fix ?? findFix(document, diagnostic) }));
}

function findFix(document: unknown, { code, pointer, help }: Diagnostic): Diagnostic['fix'] {
	const meant = /^did you mean `([^`]+)`\?$/.exec(help ?? '')?.[1];
	if (meant === undefined) return null;
	if (code !== 'unknown-field') return typeof valueAt(document, pointer) === 'string' ? { label: `change to \`${meant}\``, pointer, value: meant } : null;
	const path = parsePointer(pointer);
	const key = path.pop();
	const around = formatPointer(path);
	const fields = valueAt(document, around);
	if (!isObject(fields) || Object.hasOwn(fields, meant)) return null;
	const renamed = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name === key ? meant : name, value]));
	return { label: `rename to \`${meant}\``, pointer: around, value: renamed };
}

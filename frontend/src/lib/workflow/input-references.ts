import { isWithin } from '#lib/pointer.ts';
import { allModules } from './modules.ts';
import { findExpressions, findReferences, renameInExpression } from './references.ts';

/** Ids of the steps whose expressions read an input. */
export function stepsUsingInput(document: unknown, name: string): string[] {
	const modules = allModules(document);
	const places = findExpressions(document).filter(({ text }) => findReferences(text, 'flow_input').some(({ step }) => step === name));
	const users = places.map(({ at }) => modules.filter(({ pointer }) => isWithin(at, pointer)).sort((one, other) => other.pointer.length - one.pointer.length)[0]);
	return [...new Set(users.flatMap((placed) => placed?.module.id ?? []))];
}

/** The expressions that change if an input is renamed, with their pointers. */
export function inputRenames(document: unknown, from: string, to: string): [pointer: string, expression: string][] {
	const names = new Map([[from, to]]);
	return findExpressions(document).flatMap(({ at, text }): [string, string][] => {
		const renamed = renameInExpression(text, names, 'flow_input');
		return renamed === text ? [] : [[at, renamed]];
	});
}

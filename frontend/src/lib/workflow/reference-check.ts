import { enclosingLoop, enclosingModules, moduleAt, visibleModules } from './modules.ts';
import { findExpressions, findReferences } from './references.ts';

/** A reference of a step to something that is not available where the step stands. */
export interface BrokenReference {
	/** Id of the step with the expression. */
	user: string;
	/** Id of the step whose result it reads, or `flow_input.iter` for the item of a loop that is not around it. */
	target: string;
}

/** References to steps that run later, that may not run, or that do not exist, and to items of loops outside of loops. */
export function findBrokenReferences(document: unknown): BrokenReference[] {
	const found = new Map<string, BrokenReference>();
	for (const { at, text } of findExpressions(document)) {
		const around = enclosingModules(document, at)[0];
		const user = around?.module.id;
		if (!around || !user) continue;
		const known = new Set([user, ...visibleModules(document, around.pointer).map(({ module }) => module.id)]);
		const inside = new Set(visibleInside(document, around.pointer));
		const targets = findReferences(text).flatMap(({ step }) => (known.has(step) || inside.has(step) ? [] : [step]));
		const readsItem = findReferences(text, 'flow_input').some(({ step }) => step === 'iter');
		const isLoop = String(around.module.value?.type).endsWith('loopflow');
		if (readsItem && !isLoop && !enclosingLoop(document, around.pointer)) targets.push('flow_input.iter');
		for (const target of targets) found.set(`${user}\n${target}`, { user, target });
	}
	return [...found.values()];
}

/** Ids of the steps inside a loop, which its own conditions may read. */
function visibleInside(document: unknown, pointer: string): string[] {
	const value = moduleAt(document, pointer)?.module.value;
	if (!String(value?.type).endsWith('loopflow') || !Array.isArray(value?.modules)) return [];
	return visibleModules(document, `${pointer}/value/modules/${value.modules.length}`).flatMap(({ module }) => module.id ?? []);
}

/** Says which references an edit broke: those that are broken after it and were not before; empty if none. */
export function describeBrokenReferences(before: unknown, after: unknown): string {
	const old = new Set(findBrokenReferences(before).map(({ user, target }) => `${user}\n${target}`));
	const fresh = findBrokenReferences(after).filter(({ user, target }) => !old.has(`${user}\n${target}`));
	return fresh.map(({ user, target }) => (target === 'flow_input.iter' ? `${user} reads the item of a loop, but is in none.` : `${user} reads the result of ${target}, which is not available there.`)).join(' ');
}

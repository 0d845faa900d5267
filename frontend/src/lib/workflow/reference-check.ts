import { findExpressions, findReferences } from './references.ts';
import { StepIndex } from './step-index.ts';

/** A reference of a step to something that is not available where the step stands. */
export interface BrokenReference {
	/** Id of the step with the expression. */
	user: string;
	/** Id of the step whose result it reads, or `flow_input.iter` for the item of a loop that is not around it. */
	target: string;
}

/** References to steps that run later, that may not run, or that do not exist, and to items of loops outside of loops. */
export function findBrokenReferences(document: unknown): BrokenReference[] {
	const index = new StepIndex(document);
	const found = new Map<string, BrokenReference>();
	for (const { at, text } of findExpressions(document)) {
		const around = index.enclosing(at)[0];
		const user = around?.module.id;
		if (!around || !user) continue;
		const isKnown = (step: string) => step === user || index.isVisible(step, around.pointer) || index.isVisibleInside(step, around);
		const targets = findReferences(text).flatMap(({ step }) => (isKnown(step) ? [] : [step]));
		const readsItem = findReferences(text, 'flow_input').some(({ step }) => step === 'iter');
		if (readsItem && !index.isInLoop(at)) targets.push('flow_input.iter');
		for (const target of targets) found.set(`${user}\n${target}`, { user, target });
	}
	return [...found.values()];
}

/** Says which references an edit broke: those that are broken after it and were not before; empty if none. */
export function describeBrokenReferences(before: unknown, after: unknown): string {
	const old = new Set(findBrokenReferences(before).map(({ user, target }) => `${user}\n${target}`));
	const fresh = findBrokenReferences(after).filter(({ user, target }) => !old.has(`${user}\n${target}`));
	return fresh.map(({ user, target }) => (target === 'flow_input.iter' ? `${user} reads the item of a loop, but is in none.` : `${user} reads the result of ${target}, which is not available there.`)).join(' ');
}

import type { Step } from '#lib/api/types.ts';
import { isCard, type LayoutNode } from '#lib/graph/flow.ts';
import { pointer, tokens, valueAt, within } from '#lib/pointer.ts';

/** Which part of a workflow is run: all of it, up to and with a step, or a step alone. */
export type Part = { kind: 'whole' } | { kind: 'until' | 'only'; step: LayoutNode };

/** A part in words, as a title. */
export function partName(part: Part): string {
	switch (part.kind) {
		case 'whole':
			return 'Run without saving';
		case 'until':
			return `Run up to ${part.step.id}`;
		case 'only':
			return `Run ${part.step.id} alone`;
	}
}

/** Whether a step can be the end of a run or be run alone: it has an id of its own, and it is no error handler. */
export function canBePart({ id, pointer }: LayoutNode): boolean {
	return within(pointer, '/value/modules') && id !== pointer;
}

/** Whether a step is inside a loop, so that it may use the loop's item. */
export function isInLoop({ pointer }: LayoutNode, nodes: readonly LayoutNode[]): boolean {
	return nodes.some(({ kind, pointer: around }) => kind.endsWith('loopflow') && around !== pointer && within(pointer, around));
}

/**
 * Ids of the steps whose results a step names, in the document's order. It is a suggestion for a form: an expression
 * that puts a name together at run time is not understood.
 */
export function namedResults(document: unknown, step: LayoutNode, nodes: readonly LayoutNode[]): string[] {
	const named = new Set<string>();
	let previous = false;
	for (const text of texts(valueAt(document, step.pointer))) {
		for (const [, dotted, , quoted] of text.matchAll(/\bresults\s*(?:\??\.\s*([\w$]+)|(?:\?\.)?\[\s*(["'`])(.*?)\2\s*\])/g)) {
			named.add(dotted ?? quoted ?? '');
		}
		previous ||= /\bprevious_result\b/.test(text);
	}
	const before = tokens(step.pointer);
	before.push(String(Number(before.pop()) - 1));
	return nodes
		.filter((node) => isCard(node) && !within(node.pointer, step.pointer))
		.filter(({ id, pointer: at }) => named.has(id) || (previous && at === pointer(before)))
		.map(({ id }) => id);
}

function texts(value: unknown): string[] {
	if (typeof value === 'string') return [value];
	return typeof value === 'object' && value !== null ? Object.values(value).flatMap(texts) : [];
}

/** Results to begin with: those of an earlier run where it has them, else empty objects. */
export function mocksOf(ids: readonly string[], steps: readonly Step[]): Record<string, unknown> {
	const ended = steps.filter(({ status }) => status === 'completed' || status === 'skipped');
	const results = new Map(ended.map(({ id, output }) => [id, output]));
	return Object.fromEntries(ids.map((id) => [id, results.get(id) ?? {}]));
}

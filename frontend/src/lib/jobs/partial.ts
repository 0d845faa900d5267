import type { Step } from '#lib/api/types.ts';
import { isCard, type LayoutNode } from '#lib/graph/flow.ts';
import { formatPointer, parsePointer, valueAt, isWithin } from '#lib/pointer.ts';

/**
 * The part of a workflow to run: the whole workflow, everything up to and including a step, only one step, a step and all
 * behind it, or a kept version.
 */
export type Part = { kind: 'whole' } | { kind: 'until' | 'only' | 'from'; step: LayoutNode } | { kind: 'version'; number: number; document: unknown };

/** Title of the dialog that runs a part. */
export function partTitle(part: Part): string {
	switch (part.kind) {
		case 'whole':
			return 'Run the workflow';
		case 'until':
			return `Run up to ${part.step.id}`;
		case 'only':
			return `Run only ${part.step.id}`;
		case 'from':
			return `Run from ${part.step.id}`;
		case 'version':
			return `Run version ${part.number}`;
	}
}

/** Whether a step can be run: it has its own id and is not an error handler. */
export function isRunnable({ id, pointer }: Pick<LayoutNode, 'id' | 'pointer'>): boolean {
	return isWithin(pointer, '/value/modules') && id !== pointer;
}

/** Whether a step is inside a loop and can use the loop item. */
export function isInLoop({ pointer }: LayoutNode, nodes: readonly LayoutNode[]): boolean {
	return nodes.some(({ kind, pointer: around }) => kind.endsWith('loopflow') && around !== pointer && isWithin(pointer, around));
}

/**
 * Ids of the steps whose results a step references, in document order. Used as a suggestion in a form; names computed
 * at run time are not detected.
 */
export function findReferencedSteps(document: unknown, step: LayoutNode, nodes: readonly LayoutNode[]): string[] {
	const named = new Set<string>();
	let previous = false;
	for (const text of collectStrings(valueAt(document, step.pointer))) {
		for (const [, dotted, , quoted] of text.matchAll(/\bresults\s*(?:\??\.\s*([\w$]+)|(?:\?\.)?\[\s*(["'`])(.*?)\2\s*\])/g)) {
			named.add(dotted ?? quoted ?? '');
		}
		previous ||= /\bprevious_result\b/.test(text);
	}
	const before = parsePointer(step.pointer);
	before.push(String(Number(before.pop()) - 1));
	return nodes
		.filter((node) => isCard(node) && !isWithin(node.pointer, step.pointer))
		.filter(({ id, pointer: at }) => named.has(id) || (previous && at === formatPointer(before)))
		.map(({ id }) => id);
}

function collectStrings(value: unknown): string[] {
	if (typeof value === 'string') return [value];
	return typeof value === 'object' && value !== null ? Object.values(value).flatMap(collectStrings) : [];
}

/** Initial mocks: results of an earlier run if available, otherwise empty objects. */
export function initialMocks(ids: readonly string[], steps: readonly Step[]): Record<string, unknown> {
	const ended = steps.filter(({ status }) => status === 'completed' || status === 'skipped');
	const results = new Map(ended.map(({ id, output }) => [id, output]));
	return Object.fromEntries(ids.map((id) => [id, results.get(id) ?? {}]));
}

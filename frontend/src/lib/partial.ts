import type { Step } from '#lib/api/types.ts';
import { isCard, type LayoutNode } from '#lib/graph/flow.ts';
import { pointer, tokens, valueAt, within } from '#lib/pointer.ts';

/** The part of a workflow to run: the whole workflow, everything up to and including a step, or only one step. */
export type Part = { kind: 'whole' } | { kind: 'until' | 'only'; step: LayoutNode };

/** Title of the dialog that runs a part. */
export function partName(part: Part): string {
	switch (part.kind) {
		case 'whole':
			return 'Run without saving';
		case 'until':
			return `Run up to ${part.step.id}`;
		case 'only':
			return `Run only ${part.step.id}`;
	}
}

/** Whether a step can be run: it has its own id and is not an error handler. */
export function canBePart({ id, pointer }: LayoutNode): boolean {
	return within(pointer, '/value/modules') && id !== pointer;
}

/** Whether a step is inside a loop and can use the loop item. */
export function isInLoop({ pointer }: LayoutNode, nodes: readonly LayoutNode[]): boolean {
	return nodes.some(({ kind, pointer: around }) => kind.endsWith('loopflow') && around !== pointer && within(pointer, around));
}

/**
 * Ids of the steps whose results a step references, in document order. Used as a suggestion in a form; names computed
 * at run time are not detected.
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

/** Initial mocks: results of an earlier run if available, otherwise empty objects. */
export function mocksOf(ids: readonly string[], steps: readonly Step[]): Record<string, unknown> {
	const ended = steps.filter(({ status }) => status === 'completed' || status === 'skipped');
	const results = new Map(ended.map(({ id, output }) => [id, output]));
	return Object.fromEntries(ids.map((id) => [id, results.get(id) ?? {}]));
}

import type { Node, Step } from '#lib/api/types.ts';
import { formatPrice } from '#lib/format.ts';
import { allModules, nodeIdOf } from '#lib/workflow/modules.ts';

/** A step whose provider works at present. */
export interface CallAtProvider<T> {
	step: T;
	/** Id of the node that it calls, if it is known. */
	node: string | null;
}

type CallingStep = Pick<Step, 'id' | 'status' | 'attempt' | 'ordinal' | 'fallback'>;

/** The steps of a job whose provider works at present, so that cancelling may not save their cost. */
export function callsAtProviders<T extends CallingStep>(document: unknown, steps: readonly T[]): CallAtProvider<T>[] {
	const nodes = new Map(allModules(document).map(({ module }) => [module.id, nodeIdOf(module)]));
	return steps.filter(({ status, attempt }) => status === 'running' && attempt > 0).map((step) => ({ step, node: step.fallback?.split('/').at(-1) ?? nodes.get(step.id) ?? null }));
}

/** What a call of a node costs, as far as it is known. */
export function describePrices(node: Pick<Node, 'data'> | null | undefined): string {
	const price = node?.data?.price;
	return formatPrice(typeof price === 'object' && price !== null ? (price as Record<string, unknown>) : null) || 'price unknown';
}

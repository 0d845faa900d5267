import { nodeIdOf, subflowIdOf, type Module } from '#lib/workflow/modules.ts';

/** A step that can be searched for. */
export interface SearchedStep {
	/** Id in the layout. */
	id: string;
	module: Module;
	/** Further words that find it: its kind, and the name of its node. */
	words: readonly string[];
}

/** Ids of the steps in which all words of a query occur: in the id, the summary, the node, the workflow or the kind. Empty without a query. */
export function searchSteps(steps: readonly SearchedStep[], query: string): string[] {
	const terms = query.toLowerCase().split(/\s+/).filter(Boolean);
	if (terms.length === 0) return [];
	return steps.flatMap(({ id, module, words }) => {
		const text = [id, module.summary, nodeIdOf(module), subflowIdOf(module), module.value?.type, ...words].join('\n').toLowerCase();
		return terms.every((term) => text.includes(term)) ? [id] : [];
	});
}

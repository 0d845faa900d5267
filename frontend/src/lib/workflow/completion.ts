import type { ScopeEntry } from './scope.ts';

/** A suggestion while an expression is typed. */
export interface Suggestion {
	label: string;
	/** Text that replaces the range. */
	insert: string;
	/** Type of the value. */
	detail: string;
	info: string;
}

/** Suggestions at a position of an expression, and the start of the text that they replace. */
export function completeExpression(expression: string, position: number, scope: readonly ScopeEntry[]): { from: number; suggestions: Suggestion[] } | null {
	const before = expression.slice(0, position);
	const path = /((?:results|flow_input)(?:\??\.[\w$]+|\["[^"]*"\]|\[\d+\])*)(\??\.|\[")([\w$-]*)$/.exec(before);
	if (path) {
		const [, parent = '', link = '.', word = ''] = path;
		const optional = link.startsWith('?') ? '?' : '';
		const children = childrenOf(parent.replaceAll('?.', '.'), scope);
		const from = position - word.length - link.length;
		return {
			from,
			suggestions: children.map((found) => ({
				label: found.label,
				insert: toSegment(found, parent.replaceAll('?.', '.'), optional),
				detail: found.type,
				info: found.description
			}))
		};
	}
	const word = /(?:^|[^\w$.])([A-Za-z_$][\w$]*)?$/.exec(before);
	if (!word) return null;
	const roots: Suggestion[] = [
		{ label: 'results', insert: 'results', detail: 'object', info: 'Results of earlier steps' },
		{ label: 'flow_input', insert: 'flow_input', detail: 'object', info: 'Inputs of the workflow' },
		...scope.map((found) => ({ label: found.expression, insert: found.expression, detail: found.type, info: found.description || found.label }))
	];
	const unique = roots.filter((found, index) => roots.findIndex(({ label }) => label === found.label) === index);
	return { from: position - (word[1]?.length ?? 0), suggestions: unique };
}

function childrenOf(parent: string, scope: readonly ScopeEntry[]): ScopeEntry[] {
	if (parent === 'results') return scope.filter(({ expression }) => expression.startsWith('results'));
	const search = (entries: readonly ScopeEntry[]): ScopeEntry[] => {
		for (const found of entries) {
			if (found.expression === parent) return found.children;
			if (parent.startsWith(found.expression)) {
				const children = search(found.children);
				if (children.length > 0) return children;
			}
		}
		return [];
	};
	return search(scope);
}

/** The part of an entry's expression behind its parent, with `?.` if the user typed that. */
function toSegment({ expression }: ScopeEntry, parent: string, optional: string): string {
	const segment = expression.slice(parent.length);
	if (optional === '') return segment;
	return segment.startsWith('.') ? `?${segment}` : `?.${segment}`;
}

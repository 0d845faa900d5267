import { findReferences } from './references.ts';
import { findEntry } from './scope-search.ts';
import type { ScopeEntry } from './scope.ts';

/** Most characters of a value that are shown. */
const MAX_VALUE_LENGTH = 400;

/** Explains the reference at an offset of an expression in Markdown: its type, and its value in the last run. Null if there is none. */
export function explainExpression(expression: string, offset: number, scope: readonly ScopeEntry[]): string | null {
	const path = referenceAt(expression, offset);
	const found = path && findEntry(path, scope);
	if (!found) return null;
	const about = [`\`${found.expression}\`${found.type ? `: ${found.type}` : ''}`, found.description];
	const value = found.sample === undefined ? 'No value is known from a run.' : `Value in the last run:\n\n\`\`\`json\n${shorten(JSON.stringify(found.sample, null, 2))}\n\`\`\``;
	return [...about, value].filter(Boolean).join('\n\n');
}

/** The path up to the name at an offset, such as `results.draw.image`. */
export function referenceAt(expression: string, offset: number): string | null {
	for (const match of expression.matchAll(/(?:results|flow_input|flow_env)(?:\??\.[\w$]+|(?:\?\.)?\["[^"]*"\]|(?:\?\.)?\[\d+\])*/g)) {
		const [path] = match;
		if (offset < match.index || offset > match.index + path.length) continue;
		const segments = path.match(/^\w+|\??\.[\w$]+|(?:\?\.)?\[[^\]]*\]/g) ?? [];
		let end = match.index;
		const kept: string[] = [];
		for (const segment of segments) {
			kept.push(segment);
			end += segment.length;
			if (offset <= end) break;
		}
		return kept.join('').replaceAll('?.[', '[').replaceAll('?.', '.');
	}
	return null;
}

/** Id of the step that an expression refers to at an offset; null if it refers to none there. */
export function stepAt(expression: string, offset: number): string | null {
	return findReferences(expression).find(({ from, to }) => from <= offset && offset <= to)?.step ?? null;
}

function shorten(text: string): string {
	return text.length > MAX_VALUE_LENGTH ? `${text.slice(0, MAX_VALUE_LENGTH)}…` : text;
}

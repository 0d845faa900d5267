import { parser } from '@lezer/javascript';
import type { SyntaxNode } from '@lezer/common';
import { formatPointer, valueAt } from '#lib/pointer.ts';

/** A reference to a key of `results` or `flow_input` in an expression: `results.a`, `results?.a`, `results["a"]`. */
export interface Reference {
	/** The key: the id of a step or the name of an input. */
	step: string;
	/** Range of the id in the expression, with its quotes if it has any, in UTF-16 code units. */
	from: number;
	to: number;
	/** Whether the id stands in brackets. */
	quoted: boolean;
}

const expressionParser = parser.configure({ top: 'SingleExpression' });

/** A plain path, as most expressions are: `results.a`, `results["a b"].c[0]`. It has one reference at most, and needs no parser. */
const PLAIN_PATH = /^([A-Za-z_$][\w$]*)(?:\.([A-Za-z_$][\w$]*)|\["([^"\\]*)"\])(?:\.[A-Za-z_$][\w$]*|\[\d+\]|\["[^"\\]*"\])*$/;

/** Finds the references to results of steps in a JavaScript expression, in order. An incomplete expression is read as far as possible. */
export function findReferences(expression: string, root: 'results' | 'flow_input' = 'results'): Reference[] {
	if (!expression.includes(root)) return [];
	const path = PLAIN_PATH.exec(expression);
	if (path) return readPlainPath(path, root);
	const found: Reference[] = [];
	expressionParser.parse(expression).iterate({
		enter(node) {
			if (node.name !== 'MemberExpression') return;
			const reference = readReference(node.node, expression, root);
			if (reference) found.push(reference);
		}
	});
	return found;
}

function readPlainPath([, start = '', property, string = '']: RegExpExecArray, root: string): Reference[] {
	if (start !== root) return [];
	const from = start.length + 1;
	if (property !== undefined) return [{ step: property, from, to: from + property.length, quoted: false }];
	return [{ step: string, from, to: from + string.length + 2, quoted: true }];
}

function readReference(member: SyntaxNode, text: string, root: string): Reference | null {
	const object = member.firstChild;
	if (object?.name !== 'VariableName' || text.slice(object.from, object.to) !== root) return null;
	const property = member.getChild('PropertyName');
	if (property) return { step: text.slice(property.from, property.to), from: property.from, to: property.to, quoted: false };
	const string = member.getChild('String');
	if (!string) return null;
	const { from, to } = string;
	return { step: text.slice(from + 1, to - 1), from, to, quoted: true };
}

/** Renames steps, or inputs, in an expression; `names` has the new names by the old ones. */
export function renameInExpression(expression: string, names: ReadonlyMap<string, string>, root: 'results' | 'flow_input' = 'results'): string {
	return findReferences(expression, root).reduceRight((text, { step, from, to, quoted }) => {
		const name = names.get(step) ?? step;
		if (quoted) return text.slice(0, from) + JSON.stringify(name) + text.slice(to);
		if (isIdentifier(name)) return text.slice(0, from) + name + text.slice(to);
		// `results.a` and `results?.a` become `results["b c"]` and `results?.["b c"]`.
		const head = text.slice(0, from).replace(/\s*(\?)?\.\s*$/, (_, optional?: string) => (optional ? '?.' : ''));
		return `${head}[${JSON.stringify(name)}]${text.slice(to)}`;
	}, expression);
}

/** Whether a name can stand behind a dot. */
export function isIdentifier(name: string): boolean {
	return /^[A-Za-z_$][\w$]*$/.test(name);
}

/** Writes the expression for a value within a step's result, a flow input or a loop item: `results.a["b c"][0]`. */
export function formatPath(root: string, path: readonly (string | number)[]): string {
	return path.reduce<string>((text, segment) => {
		if (typeof segment === 'number') return `${text}[${segment}]`;
		return isIdentifier(segment) ? `${text}.${segment}` : `${text}[${JSON.stringify(segment)}]`;
	}, root);
}

/** All JavaScript expressions of a document, with their pointers. */
export function findExpressions(document: unknown): { at: string; text: string }[] {
	const found: { at: string; text: string }[] = [];
	const visit = (value: unknown, at: string) => {
		if (typeof value !== 'object' || value === null) return;
		for (const [key, inner] of Object.entries(value)) {
			const pointer = at + formatPointer([key]);
			if ((key === 'expr' || key === 'skip_expr') && typeof inner === 'string') found.push({ at: pointer, text: inner });
			else visit(inner, pointer);
		}
	};
	visit(valueAt(document, '/value'), '/value');
	return found;
}

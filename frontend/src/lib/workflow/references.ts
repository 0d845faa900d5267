import { parser } from '@lezer/javascript';
import type { SyntaxNode } from '@lezer/common';

/** A reference to a step's result in an expression: `results.a`, `results?.a`, `results["a"]`. */
export interface Reference {
	/** Id of the step. */
	step: string;
	/** Range of the id in the expression, with its quotes if it has any, in UTF-16 code units. */
	from: number;
	to: number;
	/** Whether the id stands in brackets. */
	quoted: boolean;
}

/** Finds the references to results of steps in a JavaScript expression, in order. An incomplete expression is read as far as possible. */
export function findReferences(expression: string): Reference[] {
	const found: Reference[] = [];
	parser.configure({ top: 'SingleExpression' }).parse(expression).iterate({
		enter(node) {
			if (node.name !== 'MemberExpression') return;
			const reference = readReference(node.node, expression);
			if (reference) found.push(reference);
		}
	});
	return found;
}

function readReference(member: SyntaxNode, text: string): Reference | null {
	const object = member.firstChild;
	if (object?.name !== 'VariableName' || text.slice(object.from, object.to) !== 'results') return null;
	const property = member.getChild('PropertyName');
	if (property) return { step: text.slice(property.from, property.to), from: property.from, to: property.to, quoted: false };
	const string = member.getChild('String');
	if (!string) return null;
	const { from, to } = string;
	return { step: text.slice(from + 1, to - 1), from, to, quoted: true };
}

/** Renames steps in an expression; `names` has the new names by the old ones. */
export function renameInExpression(expression: string, names: ReadonlyMap<string, string>): string {
	return findReferences(expression).reduceRight((text, { step, from, to, quoted }) => {
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

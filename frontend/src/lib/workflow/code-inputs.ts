import type { SyntaxNode } from '@lezer/common';
import { parser } from '@lezer/javascript';
import type { ValueKind } from '#lib/values/value-schema.ts';

/** A parameter of the function `main` of inline code. */
export interface CodeInput {
	name: string;
	/** Kind that its type annotation names; empty if it has none or another one. */
	kind: ValueKind;
	/** Whether it has neither a default nor a question mark. */
	required: boolean;
	/** Its default, if that is a plain value; `undefined` if there is none. */
	fallback: unknown;
}

/** Kinds by TypeScript types. */
const KINDS: Record<string, ValueKind> = { string: 'string', number: 'number', boolean: 'boolean', object: 'object' };

/** Reads the parameters of `main`, in order. Code that is incomplete is read as far as possible; patterns are left out. */
export function readCodeInputs(code: string): CodeInput[] {
	const tree = parser.configure({ dialect: 'ts' }).parse(code);
	let list: SyntaxNode | null = null;
	tree.iterate({
		enter({ node }) {
			if (list || (node.name !== 'FunctionDeclaration' && node.name !== 'VariableDeclaration')) return;
			const name = node.getChild('VariableDefinition');
			if (!name || code.slice(name.from, name.to) !== 'main') return;
			const holder = node.name === 'FunctionDeclaration' ? node : (node.getChild('ArrowFunction') ?? node.getChild('FunctionExpression'));
			list = holder?.getChild('ParamList') ?? null;
		}
	});
	return list ? readParameters(list, code) : [];
}

function readParameters(list: SyntaxNode, code: string): CodeInput[] {
	const found: CodeInput[] = [];
	const textOf = ({ from, to }: SyntaxNode) => code.slice(from, to);
	for (let node = list.firstChild; node; node = node.nextSibling) {
		const last = found.at(-1);
		if (node.name === 'VariableDefinition') found.push({ name: textOf(node), kind: '', required: true, fallback: undefined });
		else if (!last || node.name === ',' || node.name === ')') continue;
		else if (node.name === 'Optional' || node.name === 'Equals') last.required = false;
		else if (node.name === 'TypeAnnotation') last.kind = kindOfType(textOf(node).replace(/^:\s*/, ''));
		else if (!last.required && last.fallback === undefined) last.fallback = readPlain(textOf(node));
	}
	return found;
}

function kindOfType(type: string): ValueKind {
	if (/\[\]$|^Array</.test(type)) return 'array';
	if (/^Record<|^\{/.test(type)) return 'object';
	return KINDS[type] ?? '';
}

function readPlain(source: string): unknown {
	try {
		return JSON.parse(source.replace(/^'([^'"\\]*)'$/, '"$1"')) as unknown;
	} catch {
		return undefined;
	}
}

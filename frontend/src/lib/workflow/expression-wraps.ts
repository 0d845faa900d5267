/** A change of an expression that a menu offers. */
export interface ExpressionWrap {
	label: string;
	/** What it gives, as an example. */
	example: string;
	/** The changed expression. */
	apply: (expression: string) => string;
}

/** Whether an expression can stand before a dot without brackets around it: a path or a call. */
function isSimple(expression: string): boolean {
	return /^[\w$]+(?:\??\.[\w$]+|\??\.?\[(?:\d+|"[^"]*")\])*$/.test(expression);
}

/** Puts brackets around an expression where they are needed. */
function group(expression: string): string {
	const source = expression.trim();
	return source === '' || isSimple(source) ? source || 'value' : `(${source})`;
}

/** Changes of an expression that are needed often. */
export const EXPRESSION_WRAPS: readonly ExpressionWrap[] = [
	{ label: 'Use a default if there is none', example: 'a ?? ""', apply: (source) => `${group(source)} ?? ""` },
	{ label: 'Put into a text', example: '`text ${a}`', apply: (source) => `\`\${${source.trim() || 'value'}} \`` },
	{ label: 'Choose by a condition', example: 'a ? "x" : "y"', apply: (source) => `${group(source)} ? "yes" : "no"` },
	{ label: 'First item of a list', example: 'a[0]', apply: (source) => `${group(source)}[0]` },
	{ label: 'Number of items', example: 'a.length', apply: (source) => `${group(source)}.length` },
	{ label: 'Change each item', example: 'a.map(…)', apply: (source) => `${group(source)}.map((item) => item)` },
	{ label: 'Only certain items', example: 'a.filter(…)', apply: (source) => `${group(source)}.filter((item) => item)` },
	{ label: 'Join items to a text', example: 'a.join(", ")', apply: (source) => `${group(source)}.join(", ")` },
	{ label: 'Split a text into lines', example: 'a.split("\\n")', apply: (source) => `${group(source)}.split("\\n")` },
	{ label: 'Convert to a number', example: 'Number(a)', apply: (source) => `Number(${source.trim() || 'value'})` },
	{ label: 'Convert to JSON', example: 'JSON.stringify(a)', apply: (source) => `JSON.stringify(${source.trim() || 'value'})` },
	{ label: 'Read JSON', example: 'JSON.parse(a)', apply: (source) => `JSON.parse(${source.trim() || 'value'})` }
];

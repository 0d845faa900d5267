import { parser } from '@lezer/javascript';
import { expect, it } from 'vitest';
import { EXPRESSION_WRAPS } from './expression-wraps.ts';

const wrap = (label: string, source: string) => EXPRESSION_WRAPS.find((found) => found.label === label)!.apply(source);

it.each([
	['First item of a list', 'results.a["b c"]', 'results.a["b c"][0]'],
	['Number of items', 'a + b', '(a + b).length'],
	['Put into a text', 'flow_input.name', '`${flow_input.name} `'],
	['Use a default if there is none', '', 'value ?? ""'],
	['Convert to a number', ' a ', 'Number(a)']
])('%s of %j', (label, source, expected) => expect(wrap(label, source)).toBe(expected));

it.each(EXPRESSION_WRAPS)('$label gives an expression', ({ apply }) => {
	for (const source of ['results.a', 'a || b', '']) {
		let isBroken = false;
		parser.configure({ top: 'SingleExpression' }).parse(apply(source)).iterate({ enter: ({ type }) => void (isBroken ||= type.isError) });
		expect(isBroken).toBe(false);
	}
});

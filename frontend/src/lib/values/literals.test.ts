import { describe, expect, it } from 'vitest';
import { EmbeddedExpression, hasExpression } from './embedded-expression.ts';
import { formatLiteral, parseLiteral } from './literals.ts';

const e = (source: string) => new EmbeddedExpression(source);

describe('parseLiteral reads', () => {
	it.each<[string, unknown]>([
		['({ a: 1, b: results.x })', { a: 1, b: e('results.x') }],
		['{a: "t"}', { a: 't' }],
		['[1, flow_input.x, "b"]', [1, e('flow_input.x'), 'b']],
		['({ "b c": -2, \'d\': null, e: true })', { 'b c': -2, d: null, e: true }],
		['({ a: { b: [x] } })', { a: { b: [e('x')] } }],
		["({ a: 'it\\'s \"quoted\"' })", { a: 'it\'s "quoted"' }],
		['({ a: { ...b } })', { a: e('{ ...b }') }],
		['({ a: `t ${x}`, b: f(1, 2) })', { a: e('`t ${x}`'), b: e('f(1, 2)') }],
		['[]', []],
		['({})', {}]
	])('%s', (source, value) => expect(parseLiteral(source)).toEqual(value));
});

it.each(['results.a', '', '({ a })', '({ ...a })', '({ [a]: 1 })', '({ a() {} })', '[...a]', '[1,,2]', '({ a: 1 /* why */ })', '({ a: results. })x', '({ a: 1 }).a', '({ get a() { return 1 } })', '[1, // x\n2]'])(
	'parseLiteral leaves %j alone',
	(source) => expect(parseLiteral(source)).toBeUndefined()
);

it.each<[unknown, string]>([
	[{ size: 2, image: e('results.draw.image') }, '({ size: 2, image: results.draw.image })'],
	[['a', e('flow_input.b')], '["a", flow_input.b]'],
	[{ 'b c': e(' ') }, '({ "b c": undefined })'],
	[{ prompt: 'a long text that does not fit', other: e('results.a_long_step_name.output_image') }, '({\n  prompt: "a long text that does not fit",\n  other: results.a_long_step_name.output_image\n})']
])('formatLiteral(%j)', (value, source) => {
	expect(formatLiteral(value)).toBe(source);
	if (!source.includes('undefined')) expect(parseLiteral(source)).toEqual(value);
});

it('hasExpression looks inside', () => expect([hasExpression({ a: [{ b: e('x') }] }), hasExpression({ a: [1] }), hasExpression('x')]).toEqual([true, false, false]));

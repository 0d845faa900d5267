import { describe, expect, it } from 'vitest';
import { EmbeddedExpression } from './embedded-expression.ts';
import { addProperty, checkValue, convertValue, emptyValue, findFault, listRows, moveItem, removeItem, renameProperty, setItem, setProperty } from './value-rows.ts';
import { describeKind, kindOfSchema, kindOfValue, readDeclaredInput, readSchema } from './value-schema.ts';

const options = readSchema({
	type: 'object',
	properties: {
		size: { type: 'integer', minimum: 1, maximum: 8 },
		style: { enum: ['oil', 'ink'] },
		name: { type: 'string', minLength: 2, maxLength: 4, pattern: '^[a-z]+$' },
		few: { type: 'array', minItems: 1, maxItems: 2 },
		tags: { type: 'array', items: { type: 'string' } },
		deep: { type: 'object', properties: { on: { type: 'boolean' } }, required: ['on'] }
	},
	required: ['size'],
	order: ['style']
});

describe('the schema of a value', () => {
	it('follows the order of the form', () => expect(options.properties.map(([name]) => name)).toEqual(['style', 'size', 'name', 'few', 'tags', 'deep']));
	it.each([
		[{ type: ['integer', 'null'] }, 'integer'],
		[{ type: ['string', 'object'], format: 'image' }, 'image'],
		[{ type: 'string', contentMediaType: 'video/mp4' }, 'video'],
		[{ type: 'number', format: 'image' }, 'number'],
		[{ type: ['string', 'number'] }, ''],
		[{ $ref: '#/x' }, '']
	])('kind of %j', (schema, kind) => expect(kindOfSchema(schema)).toBe(kind));
	it.each([
		[{ type: 'array', items: { type: 'string', format: 'image' } }, 'list of images'],
		[{ type: 'array' }, 'list'],
		[{ type: 'array', items: { type: 'string' } }, 'list of texts'],
		[{}, 'any value']
	])('%j is a %s', (schema, words) => expect(describeKind(readSchema(schema))).toBe(words));
	it('allows other properties only if nothing is declared or a schema says so', () => {
		const others = (schema: object) => readSchema({ type: 'object', ...schema }).others?.kind;
		expect([others({}), others({ additionalProperties: false }), others({ additionalProperties: { type: 'number' } }), options.others]).toEqual(['', undefined, 'number', null]);
	});
	it('reads the declaration of an input', () => {
		const { kind, items, fallback } = readDeclaredInput({ name: 'images', type: 'array', items: { type: 'image' }, accept: ['image/png'], default: [] });
		expect([kind, items?.kind, items?.accept, fallback]).toEqual(['array', 'image', ['image/png'], []]);
	});
	it('kindOfValue', () => expect([1, 'a', [], {}, null, { artifact: 'x', mime: 'image/png' }].map(kindOfValue)).toEqual(['number', 'string', 'array', 'object', '', 'image']));
});

describe('rows of an object', () => {
	it('are the declared properties, then others', () => {
		const rows = listRows(options, { more: 1, size: 2 });
		expect(rows.map(({ name, value, isDeclared, isRequired }) => [name, value, isDeclared, isRequired])).toEqual([
			['style', undefined, true, false],
			['size', 2, true, true],
			['name', undefined, true, false],
			['few', undefined, true, false],
			['tags', undefined, true, false],
			['deep', undefined, true, false],
			['more', 1, false, false]
		]);
	});
	it.each<[unknown, unknown, unknown]>([
		['set', setProperty({ a: 1, b: 2 }, 'a', 3), { a: 3, b: 2 }],
		['add', setProperty(undefined, 'a', 3), { a: 3 }],
		['remove', setProperty({ a: 1, b: 2 }, 'a', undefined), { b: 2 }],
		['remove the last', setProperty({ a: 1 }, 'a', undefined), undefined],
		['rename in place', JSON.stringify(renameProperty({ a: 1, b: 2 }, 'a', 'c')), '{"c":1,"b":2}'],
		['rename to a taken name', renameProperty({ a: 1, b: 2 }, 'a', 'b'), { a: 1, b: 2 }],
		['a new name', addProperty({ key: 1 }, readSchema({ type: 'object' })), [{ key: 1, key_2: '' }, 'key_2']]
	])('%s', (_, found, expected) => expect(found).toEqual(expected));
});

it.each<[unknown, unknown, unknown]>([
	['move', moveItem([1, 2, 3], 0, 2), [2, 3, 1]],
	['move outside', moveItem([1, 2, 3], 0, -1), [1, 2, 3]],
	['remove', removeItem([1, 2], 0), [2]],
	['remove the last', removeItem([1], 0), undefined],
	['set', setItem([1, 2], 1, 5, readSchema({})), [1, 5]],
	['empty a text', setItem(['a'], 0, undefined, readSchema({ type: 'string' })), ['']],
	['empty a number', setItem([1], 0, undefined, readSchema({ type: 'number' })), [null]]
])('items of a list: %s', (_, found, expected) => expect(found).toEqual(expected));

it.each([
	[{ type: 'integer', minimum: 2 }, 2],
	[{ type: 'integer', minimum: -2 }, 0],
	[{ enum: ['x'] }, 'x'],
	[{ type: 'string', default: 'd' }, 'd'],
	[{ type: 'array' }, []]
])('emptyValue of %j', (schema, value) => expect(emptyValue(readSchema(schema))).toEqual(value));

it.each<[unknown, Parameters<typeof convertValue>[1], unknown]>([
	['5', 'number', 5],
	['x', 'number', 0],
	[5, 'string', '5'],
	['true', 'boolean', true],
	['a', 'array', ['a']],
	['', 'array', []],
	[{ a: 1 }, 'string', '{"a":1}'],
	[[1], 'object', {}]
])('convertValue(%j, %s)', (value, kind, converted) => expect(convertValue(value, kind)).toEqual(converted));

const schemaOf = (name: string) => options.properties.find(([key]) => key === name)![1];
it.each<[unknown, string, string]>([
	[0, 'size', 'must be at least 1'],
	[9, 'size', 'must be at most 8'],
	[1.5, 'size', 'must be a whole number'],
	['1', 'size', 'must be a number'],
	[8, 'size', ''],
	['x', 'style', 'must be one of the choices'],
	['a', 'name', 'must have at least 2 characters'],
	['abcde', 'name', 'must have at most 4 characters'],
	['AB', 'name', 'must match ^[a-z]+$'],
	[[1, 2, 3], 'few', 'must have at most 2 items'],
	[[], 'few', 'must have at least 1 items'],
	[{}, 'tags', 'must be a list: [ … ]'],
	[undefined, 'size', ''],
	[new EmbeddedExpression('x'), 'size', '']
])('checkValue(%j, %s)', (value, name, fault) => expect(checkValue(value, schemaOf(name))).toBe(fault));

it.each<[unknown, string]>([
	[{ size: 2 }, ''],
	[{}, 'size: a value is required'],
	[{ size: 2, deep: {} }, 'deep.on: a value is required'],
	[{ size: 2, tags: ['a', 5] }, 'tags[1]: must be a text'],
	[[], 'must be an object: { … }']
])('findFault(%j)', (value, fault) => expect(findFault(value, options)).toBe(fault));

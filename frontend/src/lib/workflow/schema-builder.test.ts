import { describe, expect, it } from 'vitest';
import { inputRenames, stepsUsingInput } from './input-references.ts';
import { addInput, changeInput, formatOptions, listInputFields, moveInput, parseOptions, removeInput, type InputChange } from './schema-builder.ts';

const schema = {
	$schema: 'x',
	type: 'object',
	properties: { photo: { type: 'string', format: 'image', title: 'Photo' }, size: { type: 'integer', default: 4, minimum: 1 } },
	required: ['photo']
};
const names = (found: Record<string, unknown>) => Object.keys(found.properties as object);

describe('workflow inputs', () => {
	it('are read with media as types', () => {
		expect(listInputFields(schema).map(({ name, type, required, fallback }) => [name, type, required, fallback])).toEqual([
			['photo', 'image', true, undefined],
			['size', 'integer', false, 4]
		]);
		expect(listInputFields({})).toEqual([]);
	});
	it('are added with a free name', () => {
		const [next, name] = addInput(addInput({ properties: { input_1: {} } })[0]);
		expect([name, names(next)]).toEqual(['input_3', ['input_1', 'input_2', 'input_3']]);
	});
	it('are renamed in their place, with the list of required ones', () => {
		expect(changeInput(schema, 'photo', { name: 'picture' })).toMatchObject({ $schema: 'x', required: ['picture'], properties: { picture: { title: 'Photo' } } });
		expect(names(changeInput(schema, 'photo', { name: 'picture' }))).toEqual(['picture', 'size']);
	});
	it('lose what belongs to the old type', () => {
		const changed = changeInput(schema, 'size', { type: 'string' });
		expect(changed.properties).toEqual({ photo: schema.properties.photo, size: { type: 'string' } });
	});
	it('keep a media input usable with links and kept files', () => {
		expect(changeInput(schema, 'size', { type: 'video' }).properties).toMatchObject({ size: { type: ['string', 'object'], format: 'video' } });
	});
	it('are required or not', () => {
		expect(changeInput(schema, 'size', { required: true }).required).toEqual(['photo', 'size']);
		expect(changeInput(schema, 'photo', { required: false }).required).toEqual([]);
	});
	it('are moved and removed', () => {
		expect(names(moveInput(schema, 'size', 0))).toEqual(['size', 'photo']);
		expect(moveInput(schema, 'photo', -1)).toBe(schema);
		expect(removeInput(schema, 'photo')).toMatchObject({ required: [], properties: { size: {} } });
	});
	it('follow the order of another program', () => {
		expect(moveInput({ ...schema, order: ['photo', 'size'] }, 'size', 0).order).toEqual(['size', 'photo']);
	});
});

describe('properties', () => {
	const base = { properties: { a: { type: 'integer', minimum: 1, title: 'A' }, list: { type: 'array' }, box: { type: 'object' } } };
	const changed = (name: string, change: InputChange) => (changeInput(base, name, change).properties as Record<string, unknown>)[name];
	it.each<[string, string, InputChange, unknown]>([
		['limits', 'a', { limits: { minimum: undefined, maximum: 9 } }, { type: 'integer', maximum: 9, title: 'A' }],
		['choices of their type', 'a', { options: parseOptions('1\n2\nx', 'integer') }, { type: 'integer', minimum: 1, title: 'A', enum: [1, 2] }],
		['a title', 'a', { title: '' }, { type: 'integer', minimum: 1 }],
		['the type of items', 'list', { itemType: 'image' }, { type: 'array', items: { type: ['string', 'object'], format: 'image' } }],
		['items of any type', 'list', { itemType: '' }, { type: 'array' }],
		['a schema of items', 'list', { items: { type: 'object', properties: {} } }, { type: 'array', items: { type: 'object', properties: {} } }],
		['properties of their own', 'box', { object: { properties: { b: { type: 'string' } }, required: ['b'] } }, { type: 'object', properties: { b: { type: 'string' } }, required: ['b'] }],
		['another type', 'a', { type: 'image' }, { type: ['string', 'object'], format: 'image', title: 'A' }]
	])('get %s', (_, name, change, expected) => expect(changed(name, change)).toEqual(expected));
	it('no list of required ones appears without need', () => expect(changeInput(base, 'a', { title: 'B' })).not.toHaveProperty('required'));
	it('choices are lines of text', () => expect(formatOptions(['a', 1])).toBe('a\n1'));
});

const document = {
	value: {
		modules: [
			{ id: 'a', value: { type: 'script', input_transforms: { x: { type: 'javascript', expr: 'flow_input.photo' } } } },
			{
				id: 'loop',
				value: {
					type: 'forloopflow',
					iterator: { type: 'javascript', expr: 'flow_input["photos"]' },
					modules: [{ id: 'in', value: { type: 'script', input_transforms: { x: { type: 'javascript', expr: 'flow_input?.photo + flow_input.photos' } } } }]
				}
			}
		]
	}
};

it('stepsUsingInput names the steps that read it', () => {
	expect([stepsUsingInput(document, 'photo'), stepsUsingInput(document, 'photos'), stepsUsingInput(document, 'none')]).toEqual([['a', 'in'], ['loop', 'in'], []]);
});

it('inputRenames changes the expressions', () => {
	expect(inputRenames(document, 'photo', 'picture')).toEqual([
		['/value/modules/0/value/input_transforms/x/expr', 'flow_input.picture'],
		['/value/modules/1/value/modules/0/value/input_transforms/x/expr', 'flow_input?.picture + flow_input.photos']
	]);
});

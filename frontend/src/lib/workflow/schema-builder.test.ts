import { describe, expect, it } from 'vitest';
import { addInput, changeInput, inputRenames, listInputFields, moveInput, removeInput, stepsUsingInput } from './schema-builder.ts';

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
		expect(changed.properties).toMatchObject({ size: { type: 'string', minimum: 1 } });
		expect((changed.properties as { size: object }).size).not.toHaveProperty('default');
	});
	it('keep a media input usable with links and kept files', () => {
		expect(changeInput(schema, 'size', { type: 'video' }).properties).toMatchObject({ size: { type: ['string', 'object'], format: 'video' } });
	});
	it('are required or not', () => {
		expect(changeInput(schema, 'size', { required: true }).required).toEqual(['photo', 'size']);
		expect(changeInput(schema, 'photo', { required: false }).required).toEqual([]);
	});
	it('are moved and removed', () => {
		expect(names(moveInput(schema, 'size', -1))).toEqual(['size', 'photo']);
		expect(moveInput(schema, 'photo', -1)).toBe(schema);
		expect(removeInput(schema, 'photo')).toMatchObject({ required: [], properties: { size: {} } });
	});
	it('follow the order of another program', () => {
		expect(moveInput({ ...schema, order: ['photo', 'size'] }, 'size', -1).order).toEqual(['size', 'photo']);
	});
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

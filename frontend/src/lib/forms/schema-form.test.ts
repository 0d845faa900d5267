import { describe, expect, it } from 'vitest';
import { parseAnswers, answersFromInput, fieldsForRerun, fieldsFromInputs, fieldsFromSchema, placeholderFor } from './schema-form.ts';

const schema = {
	type: 'object',
	properties: {
		prompt: { type: 'string', description: 'What to draw', default: 'a cat' },
		seed: { type: ['integer', 'null'] },
		scale: { type: 'number' },
		sharp: { type: 'boolean' },
		style: { type: 'string', enum: ['cartoon', 'vintage'] },
		extra: { type: 'object' },
		any: {}
	},
	required: ['prompt', 'seed']
};
const fields = fieldsFromSchema(schema);

describe('fieldsFromSchema', () => {
	it('sets the kind of each property', () => {
		expect(fields.map(({ name, kind, required }) => `${name}:${kind}${required ? '!' : ''}`)).toEqual([
			'prompt:text!',
			'seed:integer!',
			'scale:number',
			'sharp:boolean',
			'style:enum',
			'extra:object',
			'any:json'
		]);
	});
	it('follows `order`, then the rest', () => {
		expect(fieldsFromSchema({ ...schema, order: ['style', 'gone', 'any'] }).map(({ name }) => name).slice(0, 3)).toEqual([
			'style',
			'any',
			'prompt'
		]);
	});
	it.each([undefined, null, [], 'text', { properties: 3 }, { properties: { a: 1 } }])('reads %j without failing', (odd) => {
		expect(Array.isArray(fieldsFromSchema(odd))).toBe(true);
	});
});

describe('fieldsFromInputs', () => {
	it('takes `value` before `default`, and neither is required of a person then', () => {
		const [a, b, c] = fieldsFromInputs([
			{ name: 'a', type: 'string', required: true, value: 'x', default: 'y' },
			{ name: 'b', type: 'image', required: true },
			{ name: 'c', type: 'string', enum: ['1'], default: null }
		]);
		expect(a).toMatchObject({ kind: 'text', fallback: 'x', required: false });
		expect(b).toMatchObject({ kind: 'image', required: true });
		expect(c).toMatchObject({ kind: 'enum', fallback: null });
	});
});

it('placeholderFor shows the default as it would be entered', () => {
	expect([placeholderFor(fields[0]!), placeholderFor(fields[1]!), placeholderFor({ ...fields[5]!, fallback: { a: 1 } })]).toEqual(['a cat', '', '{"a":1}']);
});

describe('parseAnswers', () => {
	it('parses each kind and omits empty fields', () => {
		const answers = { seed: '7', scale: '1.5', sharp: 'false', style: '1', extra: '{"a":[1]}', any: '"text"' };
		expect(parseAnswers(fields, answers)).toEqual({
			input: { seed: 7, scale: 1.5, sharp: false, style: 'vintage', extra: { a: [1] }, any: 'text' },
			errors: {}
		});
	});
	it('reports missing and invalid values', () => {
		expect(Object.keys(parseAnswers(fields, { scale: 'much', extra: '{', any: '' }).errors)).toEqual(['seed', 'scale', 'extra']);
		expect(parseAnswers(fields, { seed: '1.5' }).errors.seed).toMatch('whole');
	});
});

it('answersFromInput and parseAnswers are inverse', () => {
	const input = { prompt: 'a dog', seed: 7, scale: 1.5, sharp: true, style: 'cartoon', extra: { a: 1 }, any: [null] };
	expect(parseAnswers(fields, answersFromInput(fields, input))).toEqual({ input, errors: {} });
});

describe('fieldsForRerun', () => {
	const show = (input: unknown, of = fields) => fieldsForRerun(of, input);
	const kinds = (input: unknown) => show(input).map(({ name, kind }) => `${name}:${kind}`);

	it('keeps the fields that can show the input, none of them required', () => {
		expect(kinds({ prompt: 'a dog', seed: 7, style: 'cartoon' })).toEqual(fields.map(({ name, kind }) => `${name}:${kind}`));
		expect(show({}).filter(({ required }) => required)).toEqual([]);
	});
	it.each([
		['a text that is none', { prompt: 5 }, 'prompt:json'],
		['an empty text', { prompt: '' }, 'prompt:json'],
		['null', { seed: null }, 'seed:json'],
		['a choice that is gone', { style: 'baroque' }, 'style:json'],
		['an input without a field', { gone: [1] }, 'gone:json']
	])('shows %s as JSON', (_, input, expected) => {
		expect(kinds(input)).toContain(expected);
		expect(parseAnswers(show(input), answersFromInput(show(input), input))).toEqual({ input, errors: {} });
	});
	it('uses one JSON field if no fields are known', () => expect(show({ a: 1 }, [])).toEqual([]));
});

describe('media', () => {
	const [photo] = fieldsFromSchema({ properties: { photo: { type: ['string', 'object'], format: 'image' } } });
	const artifact = { artifact: 'a1', url: '/api/v1/artifacts/a1', mime: 'image/png' };

	it('are fields of their own', () => expect(photo?.kind).toBe('image'));
	it.each(['https://example.com/a.png', artifact])('come back as they were: %j', (value) => {
		const answers = answersFromInput([photo!], { photo: value });
		expect(parseAnswers([photo!], answers).input).toEqual({ photo: value });
	});
});

describe('objects, lists and bounds', () => {
	const form = fieldsFromSchema({
		properties: {
			size: { type: 'integer', minimum: 1, maximum: 8 },
			code: { type: 'string', pattern: '^[a-z]+$' },
			options: { type: 'object', properties: { steps: { type: 'integer', maximum: 5 } }, required: ['steps'] },
			tags: { type: 'array', items: { type: 'string' } }
		}
	});
	it.each([
		[{ size: '9' }, { size: 'must be at most 8' }],
		[{ code: 'A' }, { code: 'must match ^[a-z]+$' }],
		[{ options: '{"steps": 6}' }, { options: 'steps: must be at most 5' }],
		[{ options: '{}' }, { options: 'steps: a value is required' }],
		[{ tags: '["a", 1]' }, { tags: '[1]: must be a text' }],
		[{ tags: '["a"]', options: '{"steps": 5}', size: '8' }, {}]
	])('checks %j', (answers, errors) => expect(parseAnswers(form, answers as Record<string, string>).errors).toEqual(errors));
	it('shows a value of another kind as JSON when a job is rerun', () => {
		expect(fieldsForRerun(form, { options: 'text', tags: ['a'] }).map(({ name, kind }) => [name, kind])).toEqual([
			['size', 'integer'],
			['code', 'text'],
			['options', 'json'],
			['tags', 'array']
		]);
	});
});

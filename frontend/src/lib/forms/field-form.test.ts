import { expect, it } from 'vitest';
import { ProblemError } from '#lib/api/problem.ts';
import { FieldForm } from './field-form.svelte.ts';
import { fieldsFromSchema, jsonField } from './schema-form.ts';

const fields = fieldsFromSchema({ properties: { note: { type: 'string' }, score: { type: 'integer' } }, required: ['note'] });
const whole = jsonField('payload', 'Payload', '');

function refusal(...pointers: string[]): ProblemError {
	const errors = pointers.map((pointer) => ({ pointer, message: 'is wrong' }));
	return new ProblemError({ type: 'about:blank', title: 'Invalid', status: 422, code: 'invalid', detail: '', errors });
}

it('parses the fields if all of them are valid', () => {
	const form = new FieldForm(fields, whole);
	form.answers.score = 'many';
	expect([form.read(), Object.keys(form.errors)]).toEqual([null, ['note', 'score']]);
	form.answers = { note: 'good', score: '3' };
	expect([form.read(), form.errors]).toEqual([{ value: { note: 'good', score: 3 } }, {}]);
});

it('uses one JSON field if no fields are known', () => {
	const form = new FieldForm([], whole);
	expect(form.read()).toEqual({ value: undefined });
	form.answers.payload = '[1';
	expect([form.read(), Object.keys(form.errors)]).toEqual([null, ['payload']]);
	form.answers.payload = '[1]';
	expect(form.read()).toEqual({ value: [1] });
});

it('starts with the initial input', () => {
	expect(new FieldForm(fields, whole, { note: 'good' }).read()).toEqual({ value: { note: 'good' } });
	expect(new FieldForm([], whole, { any: [1] }).read()).toEqual({ value: { any: [1] } });
});

it("shows the server's faults at the fields that they name", () => {
	const form = new FieldForm(fields, whole);
	form.refuse(refusal('/payload/note', '/step'), 'payload');
	expect(form.errors).toEqual({ note: 'is wrong' });
	const free = new FieldForm([], whole);
	free.refuse(refusal('/payload/note'), 'payload');
	expect(free.errors).toEqual({ payload: 'note: is wrong' });
	free.refuse(refusal('/payload'), 'payload');
	expect(free.errors).toEqual({ payload: 'is wrong' });
	free.refuse(refusal('/step'), 'payload');
	expect(free.errors).toEqual({});
});

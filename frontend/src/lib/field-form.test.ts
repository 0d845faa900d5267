import { expect, it } from 'vitest';
import { ProblemError } from '#lib/api/problem.ts';
import { FieldForm } from './field-form.svelte.ts';
import { fieldsOfSchema, wholeField } from './schema-form.ts';

const fields = fieldsOfSchema({ properties: { note: { type: 'string' }, score: { type: 'integer' } }, required: ['note'] });
const whole = wholeField('payload', 'Payload', '');

function refusal(...pointers: string[]): ProblemError {
	const errors = pointers.map((pointer) => ({ pointer, message: 'is wrong' }));
	return new ProblemError({ type: 'about:blank', title: 'Invalid', status: 422, code: 'invalid', detail: '', errors });
}

it('reads the fields, once all of them can be read', () => {
	const form = new FieldForm(fields, whole);
	form.answers.score = 'many';
	expect([form.read(), Object.keys(form.errors)]).toEqual([null, ['note', 'score']]);
	form.answers = { note: 'good', score: '3' };
	expect([form.read(), form.errors]).toEqual([{ value: { note: 'good', score: 3 } }, {}]);
});

it('asks for the whole where no fields are known', () => {
	const form = new FieldForm([], whole);
	expect(form.read()).toEqual({ value: undefined });
	form.answers.payload = '[1';
	expect([form.read(), Object.keys(form.errors)]).toEqual([null, ['payload']]);
	form.answers.payload = '[1]';
	expect(form.read()).toEqual({ value: [1] });
});

it('begins with what was given before', () => {
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

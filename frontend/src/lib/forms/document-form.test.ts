import { describe, expect, it } from 'vitest';
import { ProblemError } from '#lib/api/problem.ts';
import type { Documents } from '#lib/api/documents.ts';
import type { Connector } from '#lib/api/types.ts';
import { readConnector, writeConnector } from './connector-form.ts';
import { DocumentForm } from './document-form.svelte.ts';

const SHAPE = { read: readConnector, write: writeConnector };
const saved = { id: 'c', name: 'C', base_url: 'https://a.example', method: 'POST', header: {}, created_at: '', updated_at: '', diagnostics: [], data: { media_hosts: ['x'] } } as unknown as Connector;
const open = () => new DocumentForm(SHAPE, { data: saved, etag: '"1"' }, 'form');

describe('DocumentForm', () => {
	it('takes what was entered to the other tab and back, and keeps what the form does not show', () => {
		const state = open();
		state.form.name = 'D';
		state.tab = 'json';
		expect(JSON.parse(state.json)).toMatchObject({ name: 'D', data: { media_hosts: ['x'] } });
		state.json = state.json.replace('"D"', '"E"');
		state.tab = 'form';
		expect(state.form.name).toBe('E');
		expect(state.value).toMatchObject({ name: 'E', data: { media_hosts: ['x'] } });
	});

	it('stays in the JSON tab while its text can’t be read, and says why', () => {
		const state = open();
		state.tab = 'json';
		state.json = '{"name": }';
		state.tab = 'form';
		expect(state.tab).toBe('json');
		expect(state.value).toBeUndefined();
		expect(state.problems).toMatchObject([{ code: 'malformed-json' }]);
		state.json = '[]';
		expect(state.problems).toMatchObject([{ code: 'wrong-type' }]);
	});

	it('writes the id of a new document only', () => {
		expect(open().value).not.toHaveProperty('id');
		const state = new DocumentForm<Connector, ReturnType<typeof readConnector>>(SHAPE, null, 'form');
		state.form.id = 'x';
		expect(state.value).toMatchObject({ id: 'x' });
	});

	it('says whether it differs from what is saved, and is edited on after a save', async () => {
		const state = new DocumentForm<Connector, ReturnType<typeof readConnector>>(SHAPE, null, 'form');
		state.form.id = 'c';
		expect(state.isChanged).toBe(true);
		const calls: unknown[] = [];
		const kept = { data: saved, etag: '"2"' };
		const documents = {
			create: (body: unknown) => (calls.push(body), Promise.resolve(kept)),
			replace: (id: string, body: unknown, etag: string | null) => (calls.push([id, body, etag]), Promise.resolve(kept))
		} as unknown as Documents<Connector>;
		await state.save(documents);
		expect([state.isChanged, state.saved?.id]).toEqual([false, 'c']);
		state.form.name = 'Other';
		expect(state.isChanged).toBe(true);
		await state.save(documents);
		expect(state.isChanged).toBe(false);
		expect(calls).toMatchObject([{ id: 'c' }, ['c', { name: 'Other' }, '"2"']]);
		expect(open().isChanged).toBe(false);
	});

	it('does not blame an empty field of a new document before a save was refused', async () => {
		const state = new DocumentForm<Connector, ReturnType<typeof readConnector>>(SHAPE, null, 'form');
		await state.check(() => Promise.resolve([{ code: 'bad-value', severity: 'error', pointer: '/name', message: '`name` is empty' }]));
		expect(state.errorAt('/name')).toBeUndefined();
		expect(state.problems.filter((problem) => state.isBlamed(problem))).toEqual([]);
		state.submission.problem = new ProblemError({ type: '', title: '', status: 422, code: '', detail: '', errors: [] });
		expect(state.errorAt('/name')).toBe('`name` is empty');
	});

	it('shows errors at their fields, but does not blame missing ones', async () => {
		const state = open();
		await state.check(() =>
			Promise.resolve([
				{ code: 'bad-url', severity: 'error', pointer: '/base_url', message: 'bad' },
				{ code: 'missing-field', severity: 'error', pointer: '/name', message: 'missing' }
			])
		);
		expect([state.errorAt('/base_url'), state.errorAt('/name')]).toEqual(['bad', undefined]);
		expect(state.problems).toHaveLength(2);
		state.submission.problem = new ProblemError({ type: '', title: '', status: 422, code: '', detail: '', errors: [{ pointer: '/name', message: 'refused' }] });
		expect(state.errorAt('/name')).toBe('refused');
	});

	it('applies a fix to the form', () => {
		const state = open();
		state.fix([{ label: '', pointer: '/base_url', value: 'https://b.example' }]);
		expect(state.form.baseUrl).toBe('https://b.example');
		expect(state.value).toMatchObject({ base_url: 'https://b.example', data: { media_hosts: ['x'] } });
	});

	it('discards the result of an earlier check', async () => {
		const state = open();
		let finish = () => {};
		const older = state.check(() => new Promise((resolve) => (finish = () => resolve([{ severity: 'error', pointer: '', message: 'old' }]))));
		await state.check(() => Promise.resolve([]));
		finish();
		await older;
		expect(state.problems).toEqual([]);
	});
});

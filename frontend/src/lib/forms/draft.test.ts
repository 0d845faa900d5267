import { describe, expect, it } from 'vitest';
import type { Documents } from '#lib/api/documents.ts';
import { ProblemError } from '#lib/api/problem.ts';
import type { Connector } from '#lib/api/types.ts';
import { Draft } from './draft.svelte.ts';
import { CONNECTOR } from '#lib/documents/kinds.ts';

const read: Connector = {
	id: 'c',
	name: 'C',
	base_url: 'https://a.example',
	method: 'POST',
	header: {},
	created_at: '2026-03-10T12:00:00Z',
	updated_at: '2026-03-10T12:00:00Z',
	diagnostics: [{ code: 'x', severity: 'warning', pointer: '/header', message: 'odd' }]
};

function refusal(status: number, pointer?: string): ProblemError {
	const errors = pointer === undefined ? [] : [{ pointer, message: 'wrong' }];
	return new ProblemError({ type: 'about:blank', title: 'Refused', status, code: 'refused', detail: '', errors });
}

/** A fake server with one connector. Each version has an ETag, and a write must send the latest one. */
function store(write: (body: Connector) => Connector = (body) => body) {
	let version = 1;
	let kept = read;
	const documents: Documents<Connector> = {
		list: () => Promise.resolve({ items: [kept], next: null }),
		get: () => Promise.resolve({ data: kept, etag: `"${version}"` }),
		create: (body) => documents.replace('c', body, null),
		replace: (id, body, etag) => {
			if (etag !== null && etag !== `"${version}"`) return Promise.reject(refusal(412));
			const sent = body as Connector;
			if (!sent.base_url?.startsWith('https:')) return Promise.reject(refusal(422, '/base_url'));
			kept = { ...read, ...write({ ...sent, id }), diagnostics: [] };
			return Promise.resolve({ data: kept, etag: `"${++version}"` });
		},
		remove: () => Promise.resolve()
	};
	return { documents, kept: () => kept };
}

async function open(write?: (body: Connector) => Connector) {
	const { documents, kept } = store(write);
	return { draft: new Draft(CONNECTOR, documents, await documents.get('c')), documents, kept };
}

const text = (part: object) => JSON.stringify({ name: 'C', base_url: 'https://a.example', method: 'POST', header: {}, ...part });

describe('Draft', () => {
	it("shows what is edited, without the server's own fields, and its findings", async () => {
		const { draft } = await open();
		expect(Object.keys(draft.value as object)).toEqual(['name', 'base_url', 'method', 'header']);
		expect([draft.dirty, draft.serverProblems.map(({ pointer }) => pointer)]).toEqual([false, ['/header']]);
	});

	it('saves several versions and keeps the formatting', async () => {
		const { draft, kept } = await open();
		draft.text = text({ name: 'D' });
		expect(draft.dirty).toBe(true);
		await draft.save();
		expect([kept().name, draft.dirty, draft.text]).toEqual(['D', false, text({ name: 'D' })]);
		draft.text = text({ name: 'E' });
		await draft.save();
		expect([kept().name, draft.saveError]).toEqual(['E', null]);
	});

	it("shows the server's version if it differs", async () => {
		const { draft } = await open((body) => ({ ...body, header: { Authorization: '$MOVED' } }));
		draft.text = text({ header: { Authorization: 'Bearer literal' } });
		await draft.save();
		expect([draft.text.includes('$MOVED'), draft.text.includes('literal'), draft.dirty]).toEqual([true, false, false]);
	});

	it('keeps text typed while saving', async () => {
		const { draft, kept } = await open();
		draft.text = text({ name: 'D' });
		const saving = draft.save();
		draft.text = text({ name: 'D and more' });
		await saving;
		expect([kept().name, draft.text, draft.dirty]).toEqual(['D', text({ name: 'D and more' }), true]);
	});

	it('shows the errors of a refused save until a save succeeds', async () => {
		const { draft } = await open();
		draft.text = text({ base_url: 'nowhere' });
		expect(await draft.save()).toBeNull();
		expect([draft.dirty, draft.serverProblems.map(({ pointer }) => pointer)]).toEqual([true, ['/base_url']]);
		draft.text = text({});
		await draft.save();
		expect([draft.saveError, draft.serverProblems]).toEqual([null, []]);
	});

	it("overwrites somebody else's version only when asked to", async () => {
		const { draft, documents, kept } = await open();
		await documents.replace('c', { ...read, name: 'theirs' }, null);
		draft.text = text({ name: 'mine' });
		await draft.save();
		expect([draft.conflict, kept().name]).toEqual([true, 'theirs']);
		await draft.save(true);
		expect([draft.conflict, kept().name]).toEqual([false, 'mine']);
	});

	it('does not send invalid JSON', async () => {
		const { draft, kept } = await open();
		draft.text = '{';
		expect([draft.value, await draft.save(), kept()]).toEqual([undefined, null, read]);
	});

	it('saves a text that was combined with the version of another user', async () => {
		const { documents } = store();
		const draft = new Draft(CONNECTOR, documents, await documents.get('c'));
		await documents.replace('c', { ...read, name: 'Theirs' }, null);
		draft.text = JSON.stringify({ name: 'C', base_url: 'https://mine.example' });
		expect(await draft.save()).toBeNull();
		expect(draft.conflict).toBe(true);
		draft.rebase(await documents.get('c'), JSON.stringify({ name: 'Theirs', base_url: 'https://mine.example' }));
		expect([draft.conflict, draft.dirty]).toEqual([false, true]);
		expect(await draft.save()).toMatchObject({ name: 'Theirs', base_url: 'https://mine.example' });
	});
});

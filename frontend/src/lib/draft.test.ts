import { describe, expect, it } from 'vitest';
import type { Documents } from '#lib/api/documents.ts';
import { ProblemError } from '#lib/api/problem.ts';
import type { Connector } from '#lib/api/types.ts';
import { Draft } from './draft.svelte.ts';
import { CONNECTOR } from './kinds.ts';

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

/** One connector, kept as the server keeps it: each version has a tag, and a write must name the last one. */
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
		expect([draft.dirty, draft.found.map(({ pointer }) => pointer)]).toEqual([false, ['/header']]);
	});

	it('saves version after version and keeps the formatting', async () => {
		const { draft, kept } = await open();
		draft.text = text({ name: 'D' });
		expect(draft.dirty).toBe(true);
		await draft.save();
		expect([kept().name, draft.dirty, draft.text]).toEqual(['D', false, text({ name: 'D' })]);
		draft.text = text({ name: 'E' });
		await draft.save();
		expect([kept().name, draft.refusal]).toEqual(['E', null]);
	});

	it('shows what the server made of the text where that differs', async () => {
		const { draft } = await open((body) => ({ ...body, header: { Authorization: '$MOVED' } }));
		draft.text = text({ header: { Authorization: 'Bearer literal' } });
		await draft.save();
		expect([draft.text.includes('$MOVED'), draft.text.includes('literal'), draft.dirty]).toEqual([true, false, false]);
	});

	it('keeps what was typed while the save was under way', async () => {
		const { draft, kept } = await open();
		draft.text = text({ name: 'D' });
		const saving = draft.save();
		draft.text = text({ name: 'D and more' });
		await saving;
		expect([kept().name, draft.text, draft.dirty]).toEqual(['D', text({ name: 'D and more' }), true]);
	});

	it('shows a refusal at its place, until a save is accepted', async () => {
		const { draft } = await open();
		draft.text = text({ base_url: 'nowhere' });
		expect(await draft.save()).toBeNull();
		expect([draft.dirty, draft.found.map(({ pointer }) => pointer)]).toEqual([true, ['/base_url']]);
		draft.text = text({});
		await draft.save();
		expect([draft.refusal, draft.found]).toEqual([null, []]);
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

	it('sends nothing that is not JSON', async () => {
		const { draft, kept } = await open();
		draft.text = '{';
		expect([draft.value, await draft.save(), kept()]).toEqual([undefined, null, read]);
	});
});

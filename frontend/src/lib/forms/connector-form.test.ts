import { describe, expect, it } from 'vitest';
import { idFromName, readConnector, writeConnector } from './connector-form.ts';

const replicate = {
	id: 'replicate',
	name: 'Replicate',
	base_url: 'https://api.replicate.com/v1',
	method: 'POST',
	header: { Prefer: 'wait', Authorization: 'Bearer $REPLICATE_API_TOKEN' },
	body: { fixed: 1 },
	data: { limits: { in_flight: 3, other: 1 }, hosts: ['x'], timeout_s: 30 }
};

describe('the form of a connector', () => {
	it('shows a bearer token as authentication', () => {
		const form = readConnector(replicate);
		expect(form.auth).toMatchObject({ kind: 'bearer', secret: 'REPLICATE_API_TOKEN' });
		expect(form.headers).toEqual([{ name: 'Prefer', value: 'wait' }]);
		expect([form.inFlight, form.timeoutS]).toEqual([3, 30]);
	});
	it.each([
		replicate,
		{ id: 'a', name: 'A', base_url: 'https://a', method: 'GET', header: { 'xi-api-key': '$KEY' } },
		{ id: 'b', name: 'B', base_url: 'https://b', method: 'POST', header: { Authorization: 'Key $FAL_KEY' } },
		{ id: 'c', name: 'C', base_url: 'https://c', method: 'POST', data: { auth: { kind: 'basic', user: 'me', password: '$P' }, query: { v: '1' } } },
		{ id: 'd', name: 'D', base_url: 'https://d', method: 'POST', data: { auth: { kind: 'aws_sigv4', region: 'x' } } },
		{ id: 'f', name: 'F', base_url: 'https://f', method: 'POST', body: { model: '{{ input.model }}' }, data: { hosts: ['files.f', { host: 'up.f', credentials: true }], media_hosts: ['*.f'], price: { currency: 'USD', per_call: 1 } } },
		{ id: 'e', name: 'E', base_url: 'https://e', method: 'POST', data: { auth: { kind: 'query', name: 'key', value: '$K' }, limits: { requests: { count: 10, window_s: 5 } } } }
	])('writes what it has read: $id', (document) => {
		expect(writeConnector(document, readConnector(document))).toEqual(document);
	});
	it('keeps what it does not show', () => {
		const form = { ...readConnector(replicate), inFlight: undefined, auth: { kind: 'none' as const, name: '', prefix: '', secret: '', user: '' } };
		expect(writeConnector(replicate, form)).toEqual({ ...replicate, header: { Prefer: 'wait' }, data: { limits: { other: 1 }, hosts: ['x'], timeout_s: 30 } });
	});
	it('leaves out empty rows', () => {
		const form = { ...readConnector({}), name: 'N', baseUrl: 'https://n', headers: [{ name: '', value: 'x' }] };
		expect(writeConnector({}, form)).toEqual({ name: 'N', base_url: 'https://n', method: 'POST' });
	});
});

it.each([
	['My API', 'my-api'],
	['  Größe 2!', 'gro-e-2'],
	['', '']
])('idFromName(%s)', (name, id) => expect(idFromName(name)).toBe(id));

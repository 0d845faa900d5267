import { expect, it } from 'vitest';
import { describeTokenFault, emptyProxy, emptyToken, toTokenRequest, type TokenForm } from './token-form.ts';

const request = (form: Partial<TokenForm>) => toTokenRequest({ ...emptyToken(), name: 't', ...form }, Date.parse('2026-01-01T00:00:00Z'));

it.each([
	[{ days: '1' }, { name: 't', expires_at: '2026-01-02T00:00:00.000Z' }],
	[{ days: '', workflows: ['a'] }, { name: 't', expires_at: null }],
	[
		{ days: '', isLimited: true, workflows: ['a', '*'], nodes: ['n'], proxies: [{ connector: 'fal', methods: ['GET'], paths: '/v1/**\n models, x' }] },
		{ name: 't', expires_at: null, scopes: [{ run: { workflows: ['*'], nodes: ['n'] } }, { proxy: { connector: 'fal', methods: ['GET'], paths: ['v1/**', 'models', 'x'] } }] }
	]
])('toTokenRequest %j', (form, expected) => expect(request(form)).toEqual(expected));

it.each([
	[{}, /at least one workflow/],
	[{ nodes: ['*'] }, /^$/],
	[{ proxies: [emptyProxy()] }, /Choose a connector/],
	[{ proxies: [{ ...emptyProxy('fal'), methods: [] }] }, /method for fal/],
	[{ proxies: [{ ...emptyProxy('fal'), paths: ' ' }] }, /path for fal/],
	[{ proxies: [emptyProxy('fal')] }, /^$/]
])('describeTokenFault %j', (form, expected) => expect(describeTokenFault({ ...emptyToken(), isLimited: true, ...form })).toMatch(expected));

it('a token without limits lacks nothing', () => expect(describeTokenFault(emptyToken())).toBe(''));

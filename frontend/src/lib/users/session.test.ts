import { describe, expect, it } from 'vitest';
import { loginUrl, nextPath } from './session.ts';

const url = (path: string) => new URL(path, 'http://localhost:8000');

it.each(['/jobs?status=failed', '/workflows/a%2Fb'])('login leads back to %s', (path) => {
	expect(nextPath(url(loginUrl(url(path))))).toBe(path);
});

it('login from the front page has no next parameter', () => expect(loginUrl(url('/'))).toBe('/login'));

describe('nextPath', () => {
	it.each(['//evil.example/x', 'https://evil.example', '/\\evil.example', 'javascript:alert(1)', ''])('refuses %j', (next) => {
		expect(nextPath(url(`/login?next=${encodeURIComponent(next)}`))).toBe('/');
	});
});

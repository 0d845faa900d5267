import { describe, expect, it } from 'vitest';
import { formatBytes, formatCost, formatDuration, formatElapsed, formatPrice, formatRelativeTime, formatRemaining, plural } from './format.ts';

const now = Date.parse('2026-03-10T12:00:00Z');

describe('formatRelativeTime', () => {
	it.each([
		['2026-03-10T11:59:55Z', 'just now'],
		['2026-03-10T12:00:04Z', 'just now'],
		['2026-03-10T11:59:30Z', '30 seconds ago'],
		['2026-03-10T11:55:00Z', '5 minutes ago'],
		['2026-03-10T09:00:00Z', '3 hours ago'],
		['2026-03-09T11:00:00Z', 'yesterday'],
		['2025-12-10T12:00:00Z', '3 months ago'],
		['2023-03-10T12:00:00Z', '3 years ago']
	])('says %s as "%s"', (moment, words) => expect(formatRelativeTime(moment, now)).toBe(words));
});

describe('formatDuration', () => {
	it.each([
		[0, '0.0 s'],
		[-5, '0.0 s'],
		[420, '0.4 s'],
		[12_345, '12.3 s'],
		[59_960, '1 m 00 s'],
		[125_000, '2 m 05 s'],
		[3_780_000, '1 h 03 m']
	])('says %d ms as "%s"', (milliseconds, words) => expect(formatDuration(milliseconds)).toBe(words));
});

describe('formatElapsed', () => {
	it('runs until the end if there is one, otherwise until now', () => {
		expect(formatElapsed('2026-03-10T11:59:50Z', '2026-03-10T11:59:52Z', now)).toBe('2.0 s');
		expect(formatElapsed('2026-03-10T11:59:50Z', null, now)).toBe('10.0 s');
	});
	it('is empty before the start', () => expect(formatElapsed(null, null, now)).toBe(''));
});

describe('formatRemaining', () => {
	it.each([
		['2026-03-10T12:00:09.500Z', '10 s'],
		['2026-03-10T12:00:59.001Z', '1 m 00 s'],
		['2026-03-10T12:29:58Z', '29 m 58 s'],
		['2026-03-12T12:00:00Z', '48 h 00 m'],
		['2026-03-10T12:00:00Z', '0 s'],
		['2026-03-10T11:00:00Z', '0 s']
	])('until %s is %j', (moment, words) => expect(formatRemaining(moment, now)).toBe(words));
});

it.each([
	[0, '0 B'],
	[999, '999 B'],
	[1000, '1.0 kB'],
	[12_345, '12.3 kB'],
	[999_960, '1.0 MB'],
	[2_147_483_648, '2.1 GB'],
	[5e15, '5000.0 TB']
])('%d bytes are "%s"', (bytes, words) => expect(formatBytes(bytes)).toBe(words));

it('plural counts', () => {
	expect([plural(0, 'step'), plural(1, 'step'), plural(2, 'step')]).toEqual(['0 steps', '1 step', '2 steps']);
});

it.each([
	[null, ''],
	[{ amounts: {}, unknown: 0 }, ''],
	[{ amounts: { USD: '0.04' }, unknown: 0 }, '$0.04'],
	[{ amounts: { EUR: '1', credits: '12' }, unknown: 0 }, '1 EUR + 12 credits'],
	[{ amounts: { EUR: '1.655194912', USD: '0.081597456' }, unknown: 0 }, '1.66 EUR + $0.0816'],
	[{ amounts: { USD: '0.2' }, unknown: 0 }, '$0.20'],
	[{ amounts: { USD: '0.04' }, unknown: 2 }, '$0.04 + 2 unknown'],
	[{ amounts: {}, unknown: 1 }, 'cost unknown']
])('the cost %j is %j', (cost, words) => expect(formatCost(cost)).toBe(words));

it.each([
	[null, ''],
	[{ currency: 'USD', per_output: 0.04 }, '0.04 USD per output'],
	[{ currency: 'USD', per_call: '0.01', per_second: 0.05 }, '0.01 USD per call + 0.05 USD per second'],
	[{ currency: 'credits', from: { path: 'cost' } }, 'credits, as the provider reports']
])('formatPrice(%j)', (price, text) => expect(formatPrice(price)).toBe(text));

import { describe, expect, it } from 'vitest';
import { listCurrencies, sumAmounts, toUsageBars } from './usage.ts';

const item = (key: string, amounts: Record<string, string>, attempts = 1) => ({ key, amounts, attempts, unknown: 0 });

describe('toUsageBars', () => {
	it('fills days without usage', () => {
		const bars = toUsageBars([item('2026-02-27', { USD: '1.5' }), item('2026-03-02', { USD: '2' })], 'USD', 'day');
		expect(bars.map(({ key, amount }) => [key, amount])).toEqual([
			['2026-02-27', 1.5],
			['2026-02-28', 0],
			['2026-03-01', 0],
			['2026-03-02', 2]
		]);
	});
	it('sorts others by cost', () => {
		const bars = toUsageBars([item('a', { USD: '1' }), item('b', { USD: '2', credits: '3' })], 'USD', 'node');
		expect(bars.map(({ key, label }) => [key, label])).toEqual([
			['b', '2 USD, 3 credits'],
			['a', '1 USD']
		]);
	});
	it('has no bars without usage', () => expect(toUsageBars([], 'USD', 'day')).toEqual([]));
});

it('listCurrencies puts the most frequent first', () => {
	expect(listCurrencies([item('a', { credits: '1', USD: '1' }), item('b', { USD: '1' })])).toEqual(['USD', 'credits']);
});

it.each([
	[['0.1', '0.2'], '0.30'],
	[['1', '2'], '3'],
	[['0.000000001'], '0.000000001'],
	[[], '0']
])('sumAmounts(%j)', (amounts, sum) => expect(sumAmounts(amounts)).toBe(sum));

import { describe, expect, it } from 'vitest';
import { listCurrencies, sumAmounts, toUsageBars } from './usage.ts';

const item = (key: string, amounts: Record<string, string>, attempts = 1) => ({ key, amounts, attempts, unknown: 0 });

describe('toUsageBars', () => {
	const period = { from: '2026-02-27', to: '2026-03-02' };
	it('has a bar for each day of the period', () => {
		const items = [item('2026-02-28', { USD: '1.5' }), item('2026-03-01', { USD: '2' })];
		expect(toUsageBars({ ...period, by: 'day', items }, 'USD').map(({ key, amount }) => [key, amount])).toEqual([
			['2026-02-27', 0],
			['2026-02-28', 1.5],
			['2026-03-01', 2],
			['2026-03-02', 0]
		]);
	});
	it('sorts others by cost', () => {
		const items = [item('a', { USD: '1' }), item('b', { USD: '2.123456', credits: '3' })];
		expect(toUsageBars({ ...period, by: 'node', items }, 'USD').map(({ key, label, exact }) => [key, label, exact])).toEqual([
			['b', '2.12 USD, 3 credits', '2.123456 USD, 3 credits'],
			['a', '1 USD', '1 USD']
		]);
	});
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

import { roundAmount } from '#lib/format.ts';
import type { Usage, UsageItem } from '#lib/api/types.ts';

/** One bar of the plot of usage. */
export interface UsageBar {
	key: string;
	/** Cost in the currency of the plot. */
	amount: number;
	/** The amounts, rounded, as text: `1.2 USD, 3 credits`. */
	label: string;
	/** The exact amounts. */
	exact: string;
	attempts: number;
	unknown: number;
}

/** Currencies of usage, the most frequent first. */
export function listCurrencies(items: readonly UsageItem[]): string[] {
	const counts = new Map<string, number>();
	for (const { amounts } of items) for (const currency of Object.keys(amounts)) counts.set(currency, (counts.get(currency) ?? 0) + 1);
	return [...counts].sort((one, other) => other[1] - one[1]).map(([currency]) => currency);
}

/** Bars in one currency. By day, there is one for each day of the period, also for those without usage. */
export function toUsageBars({ items, by, from, to }: Pick<Usage, 'items' | 'by' | 'from' | 'to'>, currency: string): UsageBar[] {
	const bars = items.map(({ key, amounts, attempts, unknown }): UsageBar => {
		const list = (format: (amount: string) => string) => Object.entries(amounts).map(([unit, amount]) => `${format(amount)} ${unit}`).join(', ');
		return { key, amount: Number(amounts[currency] ?? 0), label: list(roundAmount), exact: list(String), attempts, unknown };
	});
	if (by !== 'day') return bars.sort((one, other) => other.amount - one.amount || other.attempts - one.attempts);
	const found = new Map(bars.map((bar) => [bar.key, bar]));
	const all: UsageBar[] = [];
	for (let day = Date.parse(from); day <= Date.parse(to); day += 86_400_000) {
		const key = new Date(day).toISOString().slice(0, 10);
		all.push(found.get(key) ?? { key, amount: 0, label: '', exact: '', attempts: 0, unknown: 0 });
	}
	return all;
}

/** The sum of decimal amounts, exact to nine places: `0.1` and `0.2` are `0.3`. */
export function sumAmounts(amounts: readonly string[]): string {
	const PLACES = 9;
	const total = amounts.reduce((sum, amount) => {
		const [whole = '0', part = ''] = amount.replace('-', '').split('.');
		const value = BigInt(whole) * 10n ** BigInt(PLACES) + BigInt(part.padEnd(PLACES, '0').slice(0, PLACES) || '0');
		return amount.startsWith('-') ? sum - value : sum + value;
	}, 0n);
	const digits = String(total < 0n ? -total : total).padStart(PLACES + 1, '0');
	const fraction = digits.slice(-PLACES).replace(/0+$/, '');
	return `${total < 0n ? '-' : ''}${digits.slice(0, -PLACES)}${fraction ? `.${fraction.padEnd(2, '0')}` : ''}`;
}

import type { components } from './api/schema.ts';

const RELATIVE = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'long' });
const ABSOLUTE = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

const STEPS: [limit_s: number, unit: Intl.RelativeTimeFormatUnit, size_s: number][] = [
	[60, 'second', 1],
	[3600, 'minute', 60],
	[86_400, 'hour', 3600],
	[86_400 * 30, 'day', 86_400],
	[86_400 * 365, 'month', 86_400 * 30],
	[Infinity, 'year', 86_400 * 365]
];

/** Formats a time relative to `now` (in milliseconds). Differences below ten seconds are "just now". */
export function formatRelativeTime(moment: string, now: number): string {
	const seconds = Math.round((now - Date.parse(moment)) / 1000);
	if (Math.abs(seconds) < 10) return 'just now';
	const [, unit, size] = STEPS.find(([limit]) => Math.abs(seconds) < limit) ?? STEPS[5]!;
	return RELATIVE.format(-Math.round(seconds / size), unit);
}

/** Formats a time as date and time of day in the local time zone. */
export function formatDateTime(moment: string): string {
	return ABSOLUTE.format(new Date(moment));
}

/** Formats a duration: `0.4 s`, `12.3 s`, `2 m 05 s`, `1 h 03 m`. */
export function formatDuration(milliseconds: number): string {
	const seconds = Math.max(0, milliseconds) / 1000;
	if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
	const whole = Math.round(seconds);
	const two = (part: number) => String(part).padStart(2, '0');
	if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
	return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} m`;
}

/** Formats the time from `now` (in milliseconds) until a time, in whole seconds: `12 s`, `2 m 05 s`. Returns `0 s` if it has passed. */
export function formatRemaining(moment: string, now: number): string {
	const seconds = Math.max(0, Math.ceil((Date.parse(moment) - now) / 1000));
	return seconds < 60 ? `${seconds} s` : formatDuration(seconds * 1000);
}

/** Formats the time from `start` to `end`, or to `now` if `end` is missing. Empty if `start` is missing. */
export function formatElapsed(start: string | null | undefined, end: string | null | undefined, now: number): string {
	if (!start) return '';
	return formatDuration((end ? Date.parse(end) : now) - Date.parse(start));
}

/** Formats a size in decimal units: `512 B`, `12.3 kB`, `1.2 MB`. */
export function formatBytes(bytes: number): string {
	let size = bytes;
	let unit = 'B';
	for (const larger of ['kB', 'MB', 'GB', 'TB']) {
		if (size < 999.95) break;
		size /= 1000;
		unit = larger;
	}
	return unit === 'B' ? `${size} B` : `${size.toFixed(1)} ${unit}`;
}

/** Formats a count with its noun: `1 step`, `3 steps`. */
export function plural(count: number, noun: string): string {
	return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** Formats a value as indented JSON. */
export function formatJson(value: unknown): string {
	return JSON.stringify(value, null, 2) ?? '';
}

/** An amount as a person reads it: two decimals, or three digits below one. */
export function roundAmount(amount: string): string {
	const value = Number(amount);
	return String(Number(Math.abs(value) < 1 ? value.toPrecision(3) : value.toFixed(2)));
}

/** What is said of a cost of which no amount is known. */
export const UNKNOWN_COST = 'cost unknown';

/** Writes tenths of a dollar as cents: `0.2` as `0.20`. */
function padCents(amount: string): string {
	return amount.replace(/\.\d$/, '$&0');
}

/** Formats what calls have cost: `$0.04`, `0.04 EUR + 12 credits`, `$0.04 + 1 unknown`; empty if nothing was counted. */
export function formatCost(cost: components['schemas']['Cost'] | null | undefined): string {
	if (!cost) return '';
	const { amounts, unknown } = cost;
	const parts = Object.entries(amounts).map(([currency, amount]) => (currency === 'USD' ? `$${padCents(roundAmount(amount))}` : `${roundAmount(amount)} ${currency}`));
	if (unknown > 0) parts.push(parts.length > 0 ? `${unknown} unknown` : UNKNOWN_COST);
	return parts.join(' + ');
}

type Cost = components['schemas']['Cost'];

/** Adds up costs, by currency. */
export function sumCosts(costs: readonly (Cost | null | undefined)[]): Cost {
	const DIGITS = 1e9;
	const amounts = new Map<string, number>();
	let unknown = 0;
	for (const cost of costs) {
		unknown += cost?.unknown ?? 0;
		for (const [currency, amount] of Object.entries(cost?.amounts ?? {})) amounts.set(currency, (amounts.get(currency) ?? 0) + Number(amount));
	}
	return { amounts: Object.fromEntries([...amounts].map(([currency, amount]) => [currency, String(Math.round(amount * DIGITS) / DIGITS)])), unknown };
}

/** Formats a node's price: `0.04 USD per output`, `0.01 USD per call + 0.05 USD per second`. Empty if nothing is known. */
export function formatPrice(price: Record<string, unknown> | null | undefined): string {
	if (!price) return '';
	const currency = typeof price.currency === 'string' ? price.currency : '';
	const words: [string, string][] = [
		['per_call', 'call'],
		['per_output', 'output'],
		['per_second', 'second'],
		['per_megapixel', 'megapixel']
	];
	const parts = words.flatMap(([field, unit]) => {
		const amount = price[field];
		return typeof amount === 'number' || typeof amount === 'string' ? [`${amount} ${currency} per ${unit}`] : [];
	});
	if (price.from !== undefined) parts.push(`${currency}, as the provider reports`);
	return parts.join(' + ');
}

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

/** How long ago a moment was, in words; the last ten seconds are "just now". `now` in milliseconds. */
export function ago(moment: string, now: number): string {
	const seconds = Math.round((now - Date.parse(moment)) / 1000);
	if (Math.abs(seconds) < 10) return 'just now';
	const [, unit, size] = STEPS.find(([limit]) => Math.abs(seconds) < limit) ?? STEPS[5]!;
	return RELATIVE.format(-Math.round(seconds / size), unit);
}

/** A moment as date and time of day, in the reader's time zone. */
export function dateTime(moment: string): string {
	return ABSOLUTE.format(new Date(moment));
}

/** A duration as people read it on a stopwatch: `0.4 s`, `12.3 s`, `2 m 05 s`, `1 h 03 m`. */
export function duration(milliseconds: number): string {
	const seconds = Math.max(0, milliseconds) / 1000;
	if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
	const whole = Math.round(seconds);
	const two = (part: number) => String(part).padStart(2, '0');
	if (whole < 3600) return `${Math.floor(whole / 60)} m ${two(whole % 60)} s`;
	return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} m`;
}

/** The time until a moment, in whole seconds: `12 s`, `2 m 05 s`; `0 s` from the moment on. `now` in milliseconds. */
export function remaining(moment: string, now: number): string {
	const seconds = Math.max(0, Math.ceil((Date.parse(moment) - now) / 1000));
	return seconds < 60 ? `${seconds} s` : duration(seconds * 1000);
}

/** The time from `start` to `end`, or to `now` where it has not ended; nothing where it has not begun. */
export function elapsed(start: string | null | undefined, end: string | null | undefined, now: number): string {
	if (!start) return '';
	return duration((end ? Date.parse(end) : now) - Date.parse(start));
}

/** A count with its noun: `1 step`, `3 steps`. */
export function plural(count: number, noun: string): string {
	return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** A value as indented JSON. */
export function pretty(value: unknown): string {
	return JSON.stringify(value, null, 2) ?? '';
}

/** Returns the value below which this share of the values lies (nearest rank). */
export function percentile(values: readonly number[], share: number): number {
	const sorted = [...values].sort((a, b) => a - b);
	const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
	if (value === undefined) throw new Error('there are no values');
	return value;
}

/** Returns the middle of the values. */
export const median = (values: readonly number[]): number => percentile(values, 0.5);

/** A row of the table in docs/performance.md. */
export interface Row {
	/** What is measured. */
	name: string;
	/** Unit and statistic. */
	quantity: string;
	value: number;
	/** The same quantity of the floor. */
	floor?: number;
	/** The highest value that meets the target. */
	target?: number;
}

const number = (value: number): string => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));

/** Returns the rows as a table in Markdown. */
export function toTable(rows: readonly Row[]): string {
	const lines = rows.map(({ name, quantity, value, floor, target }) => {
		const ratio = floor === undefined || floor === 0 ? '' : number(value / floor);
		const verdict = target === undefined ? '' : value <= target ? 'met' : '**missed**';
		return `| ${[name, quantity, floor === undefined ? '–' : number(floor), number(value), ratio, target === undefined ? '' : `≤ ${target}`, verdict].join(' | ')} |`;
	});
	return ['| what | quantity | floor | page | ratio | target | |', '|---|---|---:|---:|---:|---|---|', ...lines, ''].join('\n');
}

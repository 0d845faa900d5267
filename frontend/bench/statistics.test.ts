import { expect, test } from 'vitest';
import { median, percentile, toTable } from './statistics.ts';

test('percentiles are values that were measured', () => {
	const values = Array.from({ length: 20 }, (_, index) => 20 - index);
	expect([median(values), percentile(values, 0.95), percentile([7], 0.95)]).toEqual([10, 19, 7]);
});

test('a row says whether its target is met', () => {
	const rows = [
		{ name: 'typing', quantity: 'ms, p95', value: 60, floor: 12, target: 50 },
		{ name: 'weight', quantity: 'KiB', value: 99.94, target: 120 },
		{ name: 'other', quantity: 'ms', value: 0.5 }
	];
	expect(toTable(rows).split('\n').slice(2, -1)).toEqual([
		'| typing | ms, p95 | 12.0 | 60.0 | 5.00 | ≤ 50 | **missed** |',
		'| weight | KiB | – | 99.9 |  | ≤ 120 | met |',
		'| other | ms | – | 0.50 |  |  |  |'
	]);
});

import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { toTable, type Row } from './statistics.ts';

/** The file of the rows that were measured, one JSON value per line. */
function rowsFile(): string {
	const file = process.env.PAGE_BENCH_ROWS;
	if (!file) throw new Error('PAGE_BENCH_ROWS is not set');
	return file;
}

/** Adds a row to the table. */
export function report(row: Row): void {
	appendFileSync(rowsFile(), `${JSON.stringify(row)}\n`);
}

/** Writes the table after the last row. */
export default function writeTable(): void {
	if (!existsSync(rowsFile())) return;
	const lines = readFileSync(rowsFile(), 'utf8').trim().split('\n');
	const table = toTable(lines.map((line) => JSON.parse(line) as Row));
	rmSync(rowsFile());
	if (process.env.PAGE_BENCH_TABLE) writeFileSync(process.env.PAGE_BENCH_TABLE, table);
	else process.stdout.write(`\n${table}`);
}

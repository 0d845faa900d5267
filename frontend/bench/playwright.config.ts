import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from '@playwright/test';
import tests from '../playwright.config.ts';

// Set here because this file is read before the processes that run the rows are started.
process.env.PAGE_BENCH_ROWS ??= join(tmpdir(), `page-bench-${process.pid}.jsonl`);

/** The bench of `cargo xtask page-bench`. */
export default defineConfig({
	...tests,
	testDir: '.',
	testMatch: '*.bench.ts',
	outputDir: '../../target/page-bench',
	reporter: 'list',
	timeout: 600_000,
	globalTeardown: './report.ts',
	expect: { timeout: 60_000 },
	use: { ...tests.use, trace: 'off', actionTimeout: 60_000, viewport: { width: 1600, height: 1000 } }
});

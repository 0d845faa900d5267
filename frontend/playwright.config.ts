import { defineConfig, devices } from '@playwright/test';

const root = process.getuid?.() === 0;

export default defineConfig({
	testDir: 'e2e',
	outputDir: 'test-results',
	// Tests change the behaviour of one shared stand-in, so they run one at a time.
	workers: 1,
	forbidOnly: !!process.env.CI,
	reporter: process.env.CI ? [['list'], ['html', { open: 'never' }]] : 'list',
	timeout: 60_000,
	use: {
		...devices['Desktop Chrome'],
		baseURL: process.env.APIFLOW_URL ?? 'http://localhost:8000',
		viewport: { width: 1280, height: 800 },
		trace: 'retain-on-failure',
		launchOptions: {
			executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
			args: root ? ['--no-sandbox'] : []
		}
	}
});

import { defineConfig } from '@playwright/test';
import tests from '../playwright.config.ts';

const desktop = { width: 1440, height: 900 };

/** The pictures of `cargo xtask screenshots`. */
export default defineConfig({
	...tests,
	testDir: '.',
	outputDir: '../../target/screenshot-results',
	reporter: 'list',
	use: { ...tests.use, trace: 'off', viewport: desktop },
	projects: [
		{ name: 'light', testMatch: 'pages.shots.ts' },
		{ name: 'dark', testMatch: 'pages.shots.ts', use: { colorScheme: 'dark' } },
		{ name: 'phone', testMatch: 'pages.shots.ts', use: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true } },
		{ name: 'film', testMatch: 'film.shots.ts', timeout: 180_000, use: { viewport: { width: 1280, height: 800 } } }
	]
});

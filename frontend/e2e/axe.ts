import AxeBuilder from '@axe-core/playwright';
import { expect, type Page } from '@playwright/test';

/** WCAG 2.2 AA, and what it builds on. */
const TAGS = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'];

/** Expects that axe finds nothing wrong in a page, or only in the part of it that a selector names. Without `rules`, those of WCAG 2.2 AA apply. */
export async function expectAccessible(page: Page, { within, rules }: { within?: string; rules?: readonly string[] } = {}): Promise<void> {
	const axe = new AxeBuilder({ page });
	if (within !== undefined) axe.include(within);
	const { violations } = await (rules ? axe.withRules([...rules]) : axe.withTags(TAGS)).analyze();
	expect(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join('\n')}`)).toEqual([]);
}

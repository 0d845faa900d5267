import { expect, type Locator, type Page } from '@playwright/test';

/** Keys that a test may press before it must have arrived. */
const MAX_STOPS = 60;

/** A user without a mouse. Every key goes to what has the focus; nothing is clicked or focused by a script. */
export class KeyboardUser {
	readonly #page: Page;
	readonly #pointers: string[] = [];

	private constructor(page: Page) {
		this.#page = page;
	}

	/** Watches that no pointer is used on the page from its next navigation on. */
	static async of(page: Page): Promise<KeyboardUser> {
		const user = new KeyboardUser(page);
		await page.exposeFunction('reportPointer', (target: string) => user.#pointers.push(target));
		await page.addInitScript(() => {
			for (const type of ['pointerdown', 'mousedown', 'touchstart']) {
				addEventListener(type, ({ target }) => (window as unknown as { reportPointer(target: string): void }).reportPointer(`${type} on ${target instanceof Element ? target.outerHTML.slice(0, 80) : 'the page'}`), true);
			}
		});
		return user;
	}

	/** Fails if a pointer was used. */
	expectNoPointer(): void {
		expect(this.#pointers).toEqual([]);
	}

	/** Presses keys, one after another. */
	async press(...keys: string[]): Promise<void> {
		for (const key of keys) await this.#page.keyboard.press(key);
	}

	/** Types a text. */
	async type(text: string): Promise<void> {
		await this.#page.keyboard.type(text);
	}

	/** Presses Tab, or another key, until something has the focus. On the way, each stop must be seen. */
	async goTo(target: Locator, key = 'Tab'): Promise<void> {
		await expect(target).toBeVisible();
		for (let stops = 0; !(await target.evaluate((element) => element === document.activeElement)); stops++) {
			expect(stops, `${target.toString()} is not reached with ${key}; the focus is on ${await this.#describeFocus()}`).toBeLessThan(MAX_STOPS);
			await this.press(key);
			expect(await this.#describeHiddenFocus()).toBe('');
		}
	}

	/** Goes to something and presses Enter. */
	async enter(target: Locator, key = 'Tab'): Promise<void> {
		await this.goTo(target, key);
		await this.press('Enter');
	}

	/** Goes to a page, or starts an action, by the palette. */
	async goByPalette(search: string, entry: string | RegExp): Promise<void> {
		await this.press('ControlOrMeta+k');
		const palette = this.#page.getByRole('dialog', { name: 'Go to' });
		await expect(palette.getByRole('combobox')).toBeFocused();
		await this.type(search);
		await expect(palette.getByRole('option').first()).toContainText(entry);
		await this.press('Enter');
		await expect(palette).toHaveCount(0);
	}

	async #describeFocus(): Promise<string> {
		return this.#page.evaluate(() => document.activeElement?.outerHTML.slice(0, 200) ?? 'nothing');
	}

	/** What has the focus, if one does not see that it has it. */
	async #describeHiddenFocus(): Promise<string> {
		return this.#page.evaluate(() => {
			const focused = document.activeElement;
			if (!focused || focused === document.body || focused.closest('.cm-editor')) return '';
			const { width, height } = focused.getBoundingClientRect();
			// A hidden field shows its focus on its label, a row of a tree on its content.
			const isMarked = [focused, focused.closest('label'), ...focused.children].some((element) => {
				const style = element && getComputedStyle(element);
				return style !== null && (style.outlineStyle !== 'none' || style.boxShadow !== 'none');
			});
			return isMarked && width > 0 && height > 0 ? '' : `the focus is not visible on ${focused.outerHTML.slice(0, 200)}`;
		});
	}
}

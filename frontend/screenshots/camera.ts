import type { Locator, Page } from '@playwright/test';
import type { Performer } from '../e2e/founding-story.ts';
import { joinFrames, type Frame } from './webp.ts';

const WIDTH = 1080;
const QUALITY = 0.8;
/** How long a step of the story is shown, and how long something to look at, in ms. */
const DURATION = { step: 500, look: 1300, end: 3000 };

/** The part of a picture that differs from the one before, as a still WebP file in base64. */
interface Change {
	base64: string;
	x: number;
	y: number;
	width: number;
	height: number;
}

/** Draws a picture, and returns what has changed. Runs in a page of its own, because the browser can encode WebP. */
async function encodeChange({ png, width, quality }: { png: string; width: number; quality: number }): Promise<Change | null> {
	const keeper = globalThis as { earlier?: ImageData };
	const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
	const height = 2 * Math.round((bitmap.height * width) / bitmap.width / 2);
	const canvas = new OffscreenCanvas(width, height);
	const brush = canvas.getContext('2d', { alpha: false })!;
	brush.imageSmoothingQuality = 'high';
	brush.drawImage(bitmap, 0, 0, width, height);
	const picture = brush.getImageData(0, 0, width, height);
	let [left, top, right, bottom] = keeper.earlier ? [width, height, -1, -1] : [0, 0, width - 1, height - 1];
	for (let at = 0; keeper.earlier && at < picture.data.length; at += 4) {
		if ([0, 1, 2].every((part) => picture.data[at + part] === keeper.earlier!.data[at + part])) continue;
		const [x, y] = [(at / 4) % width, Math.floor(at / 4 / width)];
		[left, top, right, bottom] = [Math.min(left, x), Math.min(top, y), Math.max(right, x), Math.max(bottom, y)];
	}
	keeper.earlier = picture;
	if (right < 0) return null;
	[left, top] = [left - (left % 2), top - (top % 2)];
	const part = new OffscreenCanvas(right - left + 1, bottom - top + 1);
	part.getContext('2d', { alpha: false })!.drawImage(canvas, -left, -top);
	const bytes = new Uint8Array(await (await part.convertToBlob({ type: 'image/webp', quality })).arrayBuffer());
	return { base64: btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')), x: left, y: top, width: part.width, height: part.height };
}

/** Shows where the mouse is: headless browsers draw no pointer. */
function showPointer({ x, y }: { x: number; y: number }): void {
	const shown = document.querySelector<HTMLElement>('#film-pointer') ?? document.createElement('div');
	shown.id = 'film-pointer';
	shown.innerHTML = '<svg width="24" height="24" viewBox="0 0 24 24"><path d="M4 2l16 9-7 2-3 8z" fill="#111" stroke="#fff" stroke-width="1.5"/></svg>';
	shown.style.cssText = `position: fixed; z-index: 1000; pointer-events: none; left: ${x - 4}px; top: ${y - 2}px`;
	document.body.append(shown);
}

/** Performs a story slowly and takes a picture of each step. */
export class Camera implements Performer {
	readonly #page: Page;
	readonly #studio: Page;
	readonly #frames: Frame[] = [];
	#height = 0;

	/** `studio` is a blank page in which pictures are encoded. */
	constructor(page: Page, studio: Page) {
		this.#page = page;
		this.#studio = studio;
	}

	/** The film. */
	get film(): Uint8Array {
		return joinFrames(WIDTH, this.#height, this.#frames.map((frame, index) => (index === this.#frames.length - 1 ? { ...frame, duration: DURATION.end } : frame)));
	}

	click = async (target: Locator) => {
		await this.#point(target);
		await this.#shoot(this.#page, DURATION.step);
		await target.click();
	};

	type = async (target: Locator, text: string) => {
		await this.#point(target);
		await target.click();
		await this.write(text);
	};

	write = async (text: string) => {
		const middle = Math.ceil(text.length / 2);
		for (const part of [text.slice(0, middle), text.slice(middle)]) {
			await this.#page.keyboard.type(part);
			await this.#shoot(this.#page, DURATION.step);
		}
	};

	choose = async (target: Locator, label: string) => {
		await this.#point(target);
		await target.selectOption({ label });
		await this.#shoot(this.#page, DURATION.step);
	};

	give = async (target: Locator, file: { name: string; mimeType: string; buffer: Buffer }) => {
		await target.setInputFiles(file);
	};

	look = (_what: string, window: Page = this.#page) => this.#shoot(window, DURATION.look);

	async #point(target: Locator): Promise<void> {
		await target.scrollIntoViewIfNeeded();
		const box = (await target.boundingBox())!;
		await this.#page.evaluate(showPointer, { x: box.x + Math.min(box.width / 2, 120), y: box.y + box.height / 2 });
	}

	async #shoot(page: Page, duration: number): Promise<void> {
		await page.waitForTimeout(200);
		const png = (await page.screenshot({ animations: 'disabled' })).toString('base64');
		const change = await this.#studio.evaluate(encodeChange, { png, width: WIDTH, quality: QUALITY });
		const last = this.#frames.at(-1);
		if (!change) {
			if (last) last.duration += duration;
			return;
		}
		this.#height ||= change.height;
		this.#frames.push({ ...change, file: Buffer.from(change.base64, 'base64'), duration });
	}
}

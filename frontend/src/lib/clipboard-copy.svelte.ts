import { onDestroy } from 'svelte';

/** How long a button says that its text was copied, in milliseconds. */
const SHOWN_MS = 2_000;

/** A button that copies a text to the clipboard. Created while its component is initialised. */
export class ClipboardCopy {
	/** Whether the text was copied just now. */
	copied = $state(false);
	/** Whether the browser refused, as on pages served without TLS: the text must then be shown, to be copied by hand. */
	isRefused = $state(false);
	#timer: ReturnType<typeof setTimeout> | undefined;

	constructor() {
		onDestroy(() => clearTimeout(this.#timer));
	}

	/** Copies a text. */
	async copy(text: string): Promise<void> {
		try {
			await navigator.clipboard.writeText(text);
		} catch {
			this.isRefused = true;
			return;
		}
		this.isRefused = false;
		this.copied = true;
		clearTimeout(this.#timer);
		this.#timer = setTimeout(() => (this.copied = false), SHOWN_MS);
	}
}

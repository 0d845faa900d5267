/** What the functions below write down in the page that they run in. */
export interface Measured {
	/** Time from the start of the navigation until the first card was painted, in ms. */
	drawnAt?: number;
	/** Times from a key press until the label of the card changed, in ms. */
	typing: number[];
	/** Tasks that took longer than 50 ms. */
	longTasks: number[];
}

declare global {
	interface Window {
		/** Measurements of the bench. */
		measured: Measured;
	}
}

/** Notes when the first element that matches is visible and has been painted. Runs before the page's own scripts. */
export function WATCH_DRAWING(selector: string): void {
	window.measured = { typing: [], longTasks: [] };
	new PerformanceObserver((list) => window.measured.longTasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask', buffered: true });
	const look = () => {
		const isVisible = document.querySelector(selector)?.checkVisibility({ visibilityProperty: true, opacityProperty: true });
		requestAnimationFrame(isVisible ? () => (window.measured.drawnAt = performance.now()) : look);
	};
	requestAnimationFrame(look);
}

/** Notes how long after each key press the text of an element has changed. */
export function WATCH_TYPING(selector: string): void {
	const label = () => document.querySelector(selector)?.textContent;
	let [pressed, last] = [0, label()];
	window.measured.typing = [];
	addEventListener('keydown', ({ timeStamp }) => (pressed = timeStamp), true);
	new MutationObserver(() => {
		if (pressed === 0 || label() === last) return;
		last = label();
		window.measured.typing.push(performance.now() - pressed);
		pressed = 0;
	}).observe(document.body, { subtree: true, childList: true, characterData: true });
}

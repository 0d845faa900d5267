/** Moves the focus to the next (1) or previous (-1) of the elements marked `data-pane` that are shown. `enter` may choose the place inside it. */
export function focusNextPane(by: 1 | -1, enter: (pane: HTMLElement) => boolean): void {
	const panes = [...document.querySelectorAll<HTMLElement>('[data-pane]')].filter((pane) => pane.checkVisibility());
	const at = panes.findIndex((pane) => pane.contains(document.activeElement));
	const next = panes.at(at < 0 ? (by > 0 ? 0 : -1) : (at + by) % panes.length);
	if (next && !enter(next)) next.focus();
}

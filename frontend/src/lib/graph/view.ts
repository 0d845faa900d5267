/** Pixels that stay free beside a card that is moved into view. */
const VIEW_MARGIN = 32;

/** How far a range of `length` pixels from `start` has to move to lie within a pane of `size` pixels; 0 if it does. */
export function shiftIntoView(start: number, length: number, size: number): number {
	if (start >= 0 && start + length <= size) return 0;
	if (length + 2 * VIEW_MARGIN > size) return (size - length) / 2 - start;
	return start < 0 ? VIEW_MARGIN - start : size - VIEW_MARGIN - length - start;
}

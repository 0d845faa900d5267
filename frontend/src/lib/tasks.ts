/** How long the page may work without a break: then it can't show a key press in the next frame. */
export const MAX_TASK_MS = 16;

/** Ends the current task, so that the page can react before the work goes on. */
export async function endTask(): Promise<void> {
	const { scheduler } = globalThis as { scheduler?: { yield?: () => Promise<void> } };
	if (scheduler?.yield) await scheduler.yield();
	else await new Promise((resolve) => setTimeout(resolve));
}

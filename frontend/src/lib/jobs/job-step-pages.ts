import type { Step } from '#lib/api/types.ts';
import { isActive, mergeSteps } from '#lib/jobs/jobs.ts';

/** A page of a job's steps. */
export interface StepPage {
	items: Step[];
	next?: string | null;
}

/** Most pages that are read, so that a job with very many steps does not slow the page down. */
const MAX_PAGES = 20;

/**
 * All steps of a job, page by page. Pages whose steps have all ended are not read again.
 */
export class JobStepPages {
	readonly #read: (cursor: string) => Promise<StepPage>;
	readonly #pages = new Map<string, StepPage>();
	#wanted: { first: string | null | undefined } | null = null;
	#isReading = false;

	/** `read` reads the page after a cursor. */
	constructor(read: (cursor: string) => Promise<StepPage>) {
		this.#read = read;
	}

	/**
	 * Reads the pages and passes them on. While they are being read, further calls only make them be read once more: the
	 * steps of a job that changes quickly are always the newest, and its server is not flooded. Throws what `read` throws.
	 */
	async refresh(first: string | null | undefined, pass: (read: { steps: Step[]; isCut: boolean }) => void): Promise<void> {
		this.#wanted = { first };
		if (this.#isReading) return;
		this.#isReading = true;
		try {
			while (this.#wanted) {
				const wanted = this.#wanted;
				this.#wanted = null;
				pass(await this.update(wanted.first));
			}
		} finally {
			this.#isReading = false;
		}
	}

	/** Steps that follow the job's own, and whether there are still more than are read. `first` is the cursor of the second page. */
	async update(first: string | null | undefined): Promise<{ steps: Step[]; isCut: boolean }> {
		const steps: Step[] = [];
		let cursor = first ?? null;
		for (let count = 0; cursor !== null && count < MAX_PAGES; count++) {
			const known = this.#pages.get(cursor);
			const page: StepPage = known && isSettled(known) ? known : await this.#read(cursor);
			this.#pages.set(cursor, page);
			steps.push(...page.items);
			cursor = page.next ?? null;
		}
		return { steps: mergeSteps([], steps), isCut: cursor !== null };
	}
}

/** Whether a page can't change any more: it is full, and its steps have ended. */
function isSettled({ items, next }: StepPage): boolean {
	return next != null && items.every(({ status }) => !isActive(status));
}

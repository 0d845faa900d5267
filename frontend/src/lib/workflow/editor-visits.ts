/** How a user left the editor of a workflow for one of its sub-flows, to find it again. */
export interface EditorVisit {
	/** Ids of the selected steps. */
	selected: readonly string[];
	/** The part of the graph that was shown; null if there was no graph. */
	view: GraphPosition | null;
	/** Whether there were unsaved changes, which are kept in this browser. */
	isDirty: boolean;
}

/** The part of a graph that is shown. */
export interface GraphPosition {
	x: number;
	y: number;
	zoom: number;
}

const storageKey = (workflow: string) => `apiflow.visit.${workflow}`;

/** Remembers a visit in this tab of the browser. */
export function rememberVisit(workflow: string, visit: EditorVisit): void {
	try {
		sessionStorage.setItem(storageKey(workflow), JSON.stringify(visit));
	} catch {
		// The storage is full or refused. The editor opens as always.
	}
}

/** Returns the last visit, once. */
export function takeVisit(workflow: string): EditorVisit | null {
	try {
		const kept = sessionStorage.getItem(storageKey(workflow));
		sessionStorage.removeItem(storageKey(workflow));
		return kept === null ? null : (JSON.parse(kept) as EditorVisit);
	} catch {
		return null;
	}
}

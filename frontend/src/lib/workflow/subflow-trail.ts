/** A step whose sub-flow a user has opened, in the editor of its workflow. */
export interface TrailStep {
	/** Id of the workflow. */
	workflow: string;
	/** Id of the step. */
	step: string;
}

/** The parameter of an editor's URL that has the way to it, once for each workflow above: `within=poster/resize`. */
const PARAMETER = 'within';

/** The workflows through which a user came to a sub-flow, outermost first. */
export function readTrail(url: URL): TrailStep[] {
	return url.searchParams.getAll(PARAMETER).flatMap((entry) => {
		const slash = entry.indexOf('/');
		return slash > 0 && slash < entry.length - 1 ? [{ workflow: entry.slice(0, slash), step: entry.slice(slash + 1) }] : [];
	});
}

/** The URL of the editor of a workflow that was reached through others. */
export function editorUrl(workflow: string, trail: readonly TrailStep[] = []): string {
	const query = new URLSearchParams(trail.map(({ workflow: above, step }) => [PARAMETER, `${above}/${step}`]));
	return `/workflows/${encodeURIComponent(workflow)}${trail.length > 0 ? `?${query}` : ''}`;
}

/** Whether a navigation between editors goes into a sub-flow or back out of it. */
export function isAlongTrail(from: URL, to: URL): boolean {
	const [one, other] = [idIn(from), idIn(to)];
	if (one === null || other === null || one === other) return false;
	return readTrail(to).at(-1)?.workflow === one || readTrail(from).some(({ workflow }) => workflow === other);
}

/** Id of the workflow whose editor a URL shows; null for another page. */
function idIn({ pathname }: URL): string | null {
	const found = /^\/workflows\/([^/]+)$/.exec(pathname);
	return found?.[1] === undefined ? null : decodeURIComponent(found[1]);
}

/** A page above the current one. */
export interface Crumb {
	href: string;
	label: string;
}

/** The pages above one, from the list down: `/workflows/a` is below `/workflows`. */
export function toCrumbs(parent: Crumb | undefined): Crumb[] {
	if (!parent) return [];
	const [, list, ...rest] = parent.href.split('/');
	if (!list || rest.length === 0) return [{ ...parent, label: capitalize(parent.label) }];
	return [{ href: `/${list}`, label: capitalize(list) }, parent];
}

const capitalize = (text: string) => text.replace(/^./, (letter) => letter.toUpperCase());

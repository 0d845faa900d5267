import type { Connector, JobSummary, Node, Workflow } from '#lib/api/types.ts';

/** Something that the palette goes to. */
export interface PaletteEntry {
	/** Unique key. */
	key: string;
	/** Name of the entry. */
	name: string;
	/** What else is shown. */
	detail: string;
	/** Heading. */
	group: 'Pages' | 'Workflows' | 'Nodes' | 'Connectors' | 'Jobs';
	/** URL to go to. */
	href: string;
}

/** All pages. */
export function pageEntries(isAdmin: boolean): PaletteEntry[] {
	const pages: [name: string, href: string][] = [
		['Workflows', '/workflows'],
		['Jobs', '/jobs'],
		['Artifacts', '/artifacts'],
		['Nodes', '/nodes'],
		['Connectors', '/connectors'],
		['Library', '/library'],
		['Secrets', '/secrets'],
		['Usage and budgets', '/usage'],
		[isAdmin ? 'Users and my account' : 'My account', '/user']
	];
	return pages.map(([name, href]) => ({ key: `page${href}`, name, detail: '', group: 'Pages', href }));
}

/** Documents and jobs. */
export function documentEntries(found: { workflows: readonly Workflow[]; nodes: readonly Node[]; connectors: readonly Connector[]; jobs: readonly JobSummary[] }): PaletteEntry[] {
	return [
		...found.workflows.map(({ id, name }): PaletteEntry => ({ key: `workflow/${id}`, name, detail: id, group: 'Workflows', href: `/workflows/${encodeURIComponent(id)}` })),
		...found.workflows.map(({ id, name }): PaletteEntry => ({ key: `run/${id}`, name: `Run ${name}`, detail: id, group: 'Workflows', href: `/workflows/${encodeURIComponent(id)}/run` })),
		...found.nodes.map(({ id, name }): PaletteEntry => ({ key: `node/${id}`, name, detail: id, group: 'Nodes', href: `/nodes/${encodeURIComponent(id)}` })),
		...found.connectors.map(({ id, name }): PaletteEntry => ({ key: `connector/${id}`, name, detail: id, group: 'Connectors', href: `/connectors/${encodeURIComponent(id)}` })),
		...found.jobs.map(({ id, name, status }): PaletteEntry => ({ key: `job/${id}`, name, detail: `${status} · ${id}`, group: 'Jobs', href: `/jobs/${encodeURIComponent(id)}` }))
	];
}

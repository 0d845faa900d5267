import type { Connector, JobSummary, Node, Workflow } from '#lib/api/types.ts';
import type { PageCommand } from './page-commands.svelte.ts';

/** What the palette can do besides going to a page. */
export type PaletteAction = 'theme-light' | 'theme-dark' | 'theme-system' | 'shortcuts' | 'logout';

/** An entry of the palette: a place to go to, or an action. */
export interface PaletteEntry {
	/** Unique key. */
	key: string;
	/** Name of the entry. */
	name: string;
	/** What else is shown. */
	detail: string;
	/** Heading. */
	group: 'Recent' | 'This page' | 'Actions' | 'Pages' | 'Workflows' | 'Nodes' | 'Connectors' | 'Jobs';
	/** Where it goes, as a URL, or what it does. */
	target: { href: string } | { action: PaletteAction } | { perform: () => void };
}

/** Actions. Those that create something open the dialog of its page. */
export function actionEntries(isAdmin: boolean): PaletteEntry[] {
	const places: [name: string, href: string][] = [
		['New workflow', '/workflows?new'],
		['New node', '/nodes?new'],
		['New connector', '/connectors?new'],
		['New secret', '/secrets?new'],
		...(isAdmin ? ([['New user', '/user?new']] as [string, string][]) : []),
		['Add from the library', '/library']
	];
	const actions: [name: string, action: PaletteAction][] = [
		['Use the light theme', 'theme-light'],
		['Use the dark theme', 'theme-dark'],
		['Use the theme of the system', 'theme-system'],
		['Show keyboard shortcuts', 'shortcuts'],
		['Log out', 'logout']
	];
	const entry = (name: string, key: string, target: PaletteEntry['target']): PaletteEntry => ({ key: `action/${key}`, name, detail: '', group: 'Actions', target });
	return [...places.map(([name, href]) => entry(name, href, { href })), ...actions.map(([name, action]) => entry(name, action, { action }))];
}

/** Actions of the current page. */
export function pageCommandEntries(commands: readonly PageCommand[]): PaletteEntry[] {
	return commands.map(({ key, name, keys, perform }) => ({ key: `here/${key}`, name, detail: keys, group: 'This page', target: { perform } }));
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
		['Settings', '/settings'],
		[isAdmin ? 'Users and my account' : 'My account', '/user']
	];
	return pages.map(([name, href]) => ({ key: `page${href}`, name, detail: '', group: 'Pages', target: { href } }));
}

/** Documents and jobs. */
export function documentEntries(found: { workflows: readonly Workflow[]; nodes: readonly Node[]; connectors: readonly Connector[]; jobs: readonly JobSummary[] }): PaletteEntry[] {
	const path = (...parts: string[]) => ({ href: `/${parts.map(encodeURIComponent).join('/')}` });
	return [
		...found.workflows.map(({ id, name }): PaletteEntry => ({ key: `workflow/${id}`, name, detail: id, group: 'Workflows', target: path('workflows', id) })),
		...found.workflows.map(({ id, name }): PaletteEntry => ({ key: `run/${id}`, name: `Run ${name}`, detail: id, group: 'Workflows', target: path('workflows', id, 'run') })),
		...found.nodes.map(({ id, name }): PaletteEntry => ({ key: `node/${id}`, name, detail: id, group: 'Nodes', target: path('nodes', id) })),
		...found.nodes.map(({ id, name }): PaletteEntry => ({ key: `try/${id}`, name: `Try ${name}`, detail: id, group: 'Nodes', target: path('nodes', id, 'run') })),
		...found.connectors.map(({ id, name }): PaletteEntry => ({ key: `connector/${id}`, name, detail: id, group: 'Connectors', target: path('connectors', id) })),
		...found.jobs.map(({ id, name, status }): PaletteEntry => ({ key: `job/${id}`, name, detail: `${status} · ${id}`, group: 'Jobs', target: path('jobs', id) }))
	];
}

/** Entries by their headings. Those that were chosen last come first, under a heading of their own, and are not repeated. */
export function groupEntries(entries: readonly PaletteEntry[], recent: readonly string[]): [PaletteEntry['group'], PaletteEntry[]][] {
	const last = recent.flatMap((key) => entries.find((entry) => entry.key === key) ?? []);
	const groups = new Map<PaletteEntry['group'], PaletteEntry[]>(last.length > 0 ? [['Recent', last]] : []);
	for (const entry of entries) {
		if (!last.includes(entry)) groups.set(entry.group, [...(groups.get(entry.group) ?? []), entry]);
	}
	return [...groups];
}

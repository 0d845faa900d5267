import { visit, type Scene } from './scene.ts';

const listPage = (name: string, path: string, heading: string): Scene => ({ name, open: (page) => visit(page, path, heading) });

/** Lists and forms. */
export const PAGES: readonly Scene[] = [
	listPage('workflows', '/workflows', 'Workflows'),
	listPage('jobs', '/jobs', 'Jobs'),
	listPage('artifacts', '/artifacts', 'Artifacts'),
	listPage('nodes', '/nodes', 'Nodes'),
	listPage('connectors', '/connectors', 'Connectors'),
	listPage('library', '/library', 'Library'),
	listPage('secrets', '/secrets', 'Secrets'),
	listPage('usage', '/usage', 'Usage'),
	listPage('users', '/user', 'Users'),
	listPage('settings', '/settings', 'Settings'),
	{ name: 'node', open: (page, { node }) => visit(page, `/nodes/${node.id}`, node.name) },
	{ name: 'node-run', open: (page, { node }) => visit(page, `/nodes/${node.id}/run`, `Run ${node.name}`) },
	{ name: 'connector', open: (page, { connector }) => visit(page, `/connectors/${connector.id}`, connector.name) },
	{ name: 'workflow-run', open: (page, { workflow }) => visit(page, `/workflows/${workflow.id}/run`, `Run ${workflow.name}`) }
];

import type { components } from '#lib/api/schema.ts';

type NewToken = components['schemas']['NewTokenRequest'];
type TokenScope = components['schemas']['TokenScope'];

/** Methods that a token may be allowed to send through the proxy. */
export const PROXY_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** Access to a provider through the proxy. */
export interface ProxyRow {
	connector: string;
	methods: string[];
	/** Paths, one per line. */
	paths: string;
}

/** A new token as the form shows it. */
export interface TokenForm {
	name: string;
	/** Days until it expires; empty for never. */
	days: string;
	/** Whether it may do only what is listed. */
	isLimited: boolean;
	/** Ids of workflows that it may run; `*` for all. */
	workflows: string[];
	/** Ids of nodes that it may run; `*` for all. */
	nodes: string[];
	proxies: ProxyRow[];
}

/** An empty form. */
export function emptyToken(): TokenForm {
	return { name: '', days: '90', isLimited: false, workflows: [], nodes: [], proxies: [] };
}

/** Access to a provider that permits all paths. */
export function emptyProxy(connector = ''): ProxyRow {
	return { connector, methods: ['GET', 'POST'], paths: '**' };
}

/** `*` stands for all, so that nothing else is named beside it. */
const simplify = (ids: readonly string[]) => (ids.includes('*') ? ['*'] : [...ids]);

function toScopes({ workflows, nodes, proxies }: TokenForm): TokenScope[] {
	const run = { ...(workflows.length > 0 ? { workflows: simplify(workflows) } : {}), ...(nodes.length > 0 ? { nodes: simplify(nodes) } : {}) };
	const access = proxies.map(({ connector, methods, paths }): TokenScope => ({ proxy: { connector, methods: [...methods], paths: paths.split(/[\s,]+/).map((path) => path.replace(/^\//, '')).filter(Boolean) } }));
	return [...(Object.keys(run).length > 0 ? [{ run }] : []), ...access];
}

/** What is missing in the form; empty if nothing is. */
export function describeTokenFault(form: TokenForm): string {
	if (!form.isLimited) return '';
	if (form.workflows.length === 0 && form.nodes.length === 0 && form.proxies.length === 0) return 'Choose at least one workflow, node or provider.';
	for (const { connector, methods, paths } of form.proxies) {
		if (connector === '') return 'Choose a connector for each provider.';
		if (methods.length === 0) return `Choose at least one method for ${connector}.`;
		if (paths.trim() === '') return `Enter at least one path for ${connector}; ** is every path.`;
	}
	return '';
}

/** The request that creates the token. `now` is in milliseconds. */
export function toTokenRequest(form: TokenForm, now: number): NewToken {
	const expires_at = form.days === '' ? null : new Date(now + Number(form.days) * 86_400_000).toISOString();
	return { name: form.name, expires_at, ...(form.isLimited ? { scopes: toScopes(form) } : {}) };
}

import type { Call } from '#lib/api/types.ts';
import { isObject } from '#lib/workflow/modules.ts';

/** Fields in which providers name the web page of their work. Replicate: `urls.web`. */
const PAGE_FIELDS: readonly (readonly string[])[] = [['urls', 'web'], ['web_url'], ['dashboard_url']];

/** The provider's own web page of the work that a step's calls started, from their latest reply that names one. */
export function findProviderPage(calls: readonly Pick<Call, 'reply'>[]): string | undefined {
	for (const { reply } of calls.toReversed()) {
		const body = parseBody(reply.excerpt);
		for (const path of PAGE_FIELDS) {
			const link = path.reduce<unknown>((value, field) => (isObject(value) ? value[field] : undefined), body);
			if (typeof link === 'string' && /^https:\/\//.test(link)) return link;
		}
	}
	return undefined;
}

function parseBody(excerpt: unknown): unknown {
	if (typeof excerpt !== 'string') return excerpt;
	try {
		return JSON.parse(excerpt) as unknown;
	} catch {
		return undefined;
	}
}

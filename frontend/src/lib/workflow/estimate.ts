import type { DryRunReport } from '#lib/api/types.ts';
import type { Catalog } from '#lib/core.ts';
import { sumAmounts } from '#lib/usage.ts';
import { allModules, isObject, nodeIdOf } from './modules.ts';

/** What a run would cost: known amounts by currency, and the number of calls whose cost is not known. */
export interface Estimate {
	amounts: Record<string, string>;
	unknown: number;
}

/** Estimates the cost of a run from the calls of its dry run and the prices per call or output of their nodes. */
export function estimateCost(report: DryRunReport, document: unknown, catalog: Catalog): Estimate {
	const nodes = new Map(allModules(document).map(({ module }) => [module.id, nodeIdOf(module)]));
	const amounts = new Map<string, string[]>();
	let unknown = 0;
	for (const step of report.steps) {
		const node = catalog.nodes[nodes.get(step.id) ?? ''];
		if (!node || step.requests.length === 0) continue;
		const connector = catalog.connectors[node.connector_id];
		const price = node.price ?? connector?.price;
		const fixed = isObject(price) ? fixedAmount(price) : null;
		if (!isObject(price) || fixed === null || typeof price.currency !== 'string') unknown += 1;
		else amounts.set(price.currency, [...(amounts.get(price.currency) ?? []), fixed]);
	}
	return { amounts: Object.fromEntries([...amounts].map(([currency, found]) => [currency, sumAmounts(found)])), unknown };
}

/** What a call costs if it makes one output; null if that depends on more. */
function fixedAmount(price: Record<string, unknown>): string | null {
	const depends = ['per_second', 'per_megapixel', 'from'].some((field) => price[field] !== undefined && price[field] !== null);
	const parts = [price.per_call, price.per_output].flatMap((amount) => (typeof amount === 'number' || typeof amount === 'string' ? [String(amount)] : []));
	if (!depends) return parts.length > 0 ? sumAmounts(parts) : null;
	return typeof price.max === 'number' || typeof price.max === 'string' ? String(price.max) : null;
}

/** Describes an estimate: `about 0.30 USD, 1 call of unknown cost`. Empty if there are no calls. */
export function describeEstimate({ amounts, unknown }: Estimate): string {
	const known = Object.entries(amounts).map(([currency, amount]) => `${amount} ${currency}`);
	const parts = known.length > 0 ? [`about ${known.join(' and ')}`] : [];
	if (unknown > 0) parts.push(`${unknown} ${unknown === 1 ? 'call' : 'calls'} of unknown cost`);
	return parts.join(', ');
}

import { expect, it } from 'vitest';
import type { DryRunReport } from '#lib/api/types.ts';
import type { Catalog } from '#lib/core.ts';
import { describeEstimate, estimateCost } from './estimate.ts';

const node = (id: string, price: unknown) => ({ id, connector_id: 'c', price });
const catalog = {
	connectors: { c: { id: 'c', price: { currency: 'USD', per_call: 1 } } },
	nodes: {
		fixed: node('fixed', { currency: 'USD', per_call: '0.1', per_output: 0.2 }),
		timed: node('timed', { currency: 'USD', per_second: 0.05 }),
		capped: node('capped', { currency: 'credits', from: { path: 'x' }, max: 5 }),
		inherited: node('inherited', undefined)
	},
	workflows: {}
} as unknown as Catalog;
const call = (id: string) => ({ id, value: { type: 'script', path: `node/${id}` } });
const document = { value: { modules: [call('fixed'), call('timed'), call('capped'), call('inherited'), { id: 'x', value: { type: 'identity' } }] } };
const report = (...ids: string[]) => ({ steps: ids.map((id) => ({ id, requests: id === 'x' ? [] : [{}] })) }) as unknown as DryRunReport;

it('sums up what is known and counts the rest', () => {
	const estimate = estimateCost(report('fixed', 'fixed', 'timed', 'capped', 'inherited', 'x'), document, catalog);
	expect(estimate).toEqual({ amounts: { USD: '1.60', credits: '5' }, unknown: 1 });
	expect(describeEstimate(estimate)).toBe('about 1.60 USD and 5 credits, 1 call of unknown cost');
});

it('says nothing without calls', () => expect(describeEstimate(estimateCost(report('x'), document, catalog))).toBe(''));

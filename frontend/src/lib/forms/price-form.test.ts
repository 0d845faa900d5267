import { expect, it } from 'vitest';
import { readPrice, writePrice } from './price-form.ts';

it.each([
	[{ currency: 'USD', per_call: 0.04 }],
	[{ currency: 'credits', from: { path: 'cost' }, max: '2', on_failure: 'free' }],
	[{ currency: 'USD', per_output: '0.1', per_second: 1, per_megapixel: 2 }],
	[undefined]
])('writes what it has read: %j', (price) => expect(writePrice(price, readPrice(price))).toEqual(price));

it('writes changed amounts as decimal text, and no price without one', () => {
	const form = readPrice({ currency: 'USD', per_call: 0.04 });
	expect([
		writePrice({ currency: 'USD', per_call: 0.04 }, { ...form, perCall: '0.05', max: '1' }),
		writePrice({ currency: 'USD', per_call: 0.04 }, { ...form, perCall: '' }),
		writePrice(undefined, { ...readPrice(undefined), perSecond: '2' })
	]).toEqual([{ currency: 'USD', per_call: '0.05', max: '1' }, undefined, { currency: 'USD', per_second: '2' }]);
});

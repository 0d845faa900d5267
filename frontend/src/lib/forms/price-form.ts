import { isObject } from '#lib/workflow/modules.ts';

/** A price as the form shows it. Amounts are text; empty for none. */
export interface PriceForm {
	currency: string;
	perCall: string;
	perOutput: string;
	perSecond: string;
	perMegapixel: string;
	/** The most that an attempt can cost. */
	max: string;
	/** What a failed attempt costs: empty for the default, which is unknown. */
	onFailure: string;
}

type Document = Record<string, unknown>;

const KEYS = { perCall: 'per_call', perOutput: 'per_output', perSecond: 'per_second', perMegapixel: 'per_megapixel', max: 'max', onFailure: 'on_failure' } as const;

const text = (value: unknown) => (typeof value === 'number' || typeof value === 'string' ? String(value) : '');

/** Reads `data.price` of a connector or node. */
export function readPrice(value: unknown): PriceForm {
	const price = isObject(value) ? value : {};
	return {
		currency: text(price.currency),
		perCall: text(price.per_call),
		perOutput: text(price.per_output),
		perSecond: text(price.per_second),
		perMegapixel: text(price.per_megapixel),
		max: text(price.max),
		onFailure: text(price.on_failure)
	};
}

/** Writes the form into a price. What the form does not show stays as it is; amounts that were not changed keep their form. `undefined` for no price. */
export function writePrice(before: unknown, form: PriceForm): Document | undefined {
	const old = isObject(before) ? before : {};
	const shown: string[] = ['currency', ...Object.values(KEYS)];
	const others = Object.fromEntries(Object.entries(old).filter(([key]) => !shown.includes(key)));
	const amounts = Object.entries(KEYS).flatMap(([field, key]) => {
		const entered = form[field as keyof typeof KEYS].trim();
		return entered === '' ? [] : [[key, text(old[key]) === entered ? old[key] : entered]];
	});
	const isPriced = Object.keys(others).length > 0 || amounts.some(([key]) => key !== KEYS.max && key !== KEYS.onFailure);
	return isPriced ? { currency: form.currency.trim() || 'USD', ...others, ...Object.fromEntries(amounts) } : undefined;
}

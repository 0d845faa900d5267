import { isObject } from '#lib/workflow/modules.ts';
import { readPairs, writePairs, type Pair } from './pairs.ts';
import { readPrice, writePrice, type PriceForm } from './price-form.ts';

/** Types of inputs and outputs. Source: `ValueType` in `openapi.json`. */
export const VALUE_TYPES = ['string', 'number', 'integer', 'boolean', 'object', 'array', 'image', 'video', 'audio', 'file'] as const;

/** How a media input is sent. */
export const SEND_FORMS = ['url', 'data_uri', 'base64', 'multipart', 'upload'] as const;

/** Presets of long-running operations. Source: `apiflow-core/src/call/presets`. */
export const OPERATION_PRESETS = ['replicate', 'fal', 'bfl', 'runway', 'luma', 'google_lro', 'openai_video', 'stability_result', 'comfy'] as const;

/** An input or output as a row of the form. Fields that the form does not show are kept in `rest`. */
export interface InputRow {
	name: string;
	type: string;
	required: boolean;
	description: string;
	/** Default as text; empty for none. */
	fallback: string;
	/** Allowed values, one per line. */
	options: string;
	minimum: number | undefined;
	maximum: number | undefined;
	/** How media are sent; empty for the default. */
	sendAs: string;
	rest: Record<string, unknown>;
}

/** An output as a row of the form. */
export interface OutputRow {
	name: string;
	type: string;
	mapping: string;
	description: string;
	/** Which of several values is used; empty for the default. */
	pick: string;
	rest: Record<string, unknown>;
}

/** A node as the form shows it. */
export interface NodeForm {
	name: string;
	id: string;
	description: string;
	connectorId: string;
	inputs: InputRow[];
	outputs: OutputRow[];
	path: string;
	/** Empty: that of the connector. */
	method: string;
	bodyKind: string;
	headers: Pair[];
	query: Pair[];
	timeoutS: number | undefined;
	/** Body template as JSON; empty for none. */
	body: string;
	/** Name of a preset; empty for a call that answers at once, `custom` for a rule that the form does not show. */
	operation: string;
	price: PriceForm;
}

type Document = Record<string, unknown>;

const text = (value: unknown) => (typeof value === 'string' ? value : '');
const number = (value: unknown) => (typeof value === 'number' ? value : undefined);
const object = (value: unknown): Document => (isObject(value) ? value : {});
const list = (value: unknown): Document[] => (Array.isArray(value) ? value.filter(isObject) : []);

/** Text of a JSON value in a field: strings as they are, unless they look like another value. */
export function toFieldText(value: unknown): string {
	if (value === undefined || value === null) return '';
	if (typeof value !== 'string') return JSON.stringify(value);
	if (value === '') return '""';
	return typeof fromFieldText(value, '') === 'string' ? value : JSON.stringify(value);
}

/** The value of a field's text. Where the type is not a string, JSON is read as such. */
export function fromFieldText(entered: string, type: string): unknown {
	if (type === 'string') return entered.startsWith('"') ? readJson(entered) : entered;
	return readJson(entered);
}

function readJson(entered: string): unknown {
	try {
		return JSON.parse(entered) as unknown;
	} catch {
		return entered;
	}
}

/** An empty row for an input. */
export function emptyInput(): InputRow {
	return { name: '', type: 'string', required: false, description: '', fallback: '', options: '', minimum: undefined, maximum: undefined, sendAs: '', rest: {} };
}

/** An empty row for an output. */
export function emptyOutput(): OutputRow {
	return { name: '', type: 'image', mapping: '', description: '', pick: '', rest: {} };
}

/** Reads a node for the form. */
export function readNode(document: Document): NodeForm {
	const data = object(document.data);
	return {
		name: text(document.name),
		id: text(document.id),
		description: text(document.description),
		connectorId: text(document.connector_id),
		inputs: list(document.input).map(({ name, type, required, description, default: fallback, enum: options, minimum, maximum, as, ...rest }) => ({
			name: text(name),
			type: text(type) || 'string',
			required: required === true,
			description: text(description),
			fallback: toFieldText(fallback),
			options: Array.isArray(options) ? options.map(toFieldText).join('\n') : '',
			minimum: number(minimum),
			maximum: number(maximum),
			sendAs: text(as),
			rest
		})),
		outputs: list(document.output).map(({ name, type, mapping, description, pick, ...rest }) => ({
			name: text(name),
			type: text(type) || 'string',
			mapping: text(mapping),
			description: text(description),
			pick: text(pick),
			rest
		})),
		path: text(data.path),
		method: text(data.method),
		bodyKind: text(data.body_kind),
		headers: readPairs(data.header),
		query: readPairs(data.query),
		timeoutS: number(data.timeout_s),
		body: data.body === undefined || data.body === null ? '' : JSON.stringify(data.body, null, 2),
		operation: typeof data.operation === 'string' ? data.operation : data.operation ? 'custom' : '',
		price: readPrice(data.price)
	};
}

/** Drops keys without a value. */
function present(entries: Record<string, unknown>): Document {
	return Object.fromEntries(Object.entries(entries).filter(([, value]) => value !== undefined && value !== ''));
}

function writeInput({ name, type, required, description, fallback, options, minimum, maximum, sendAs, rest }: InputRow): Document {
	const lines = options.split('\n').filter((line) => line.trim() !== '');
	return {
		...present({
			name,
			type,
			required: required || undefined,
			description,
			enum: lines.length > 0 ? lines.map((line) => fromFieldText(line.trim(), type)) : undefined,
			minimum,
			maximum,
			as: sendAs
		}),
		// An empty string is a default, too.
		...(fallback === '' ? {} : { default: fromFieldText(fallback, type) }),
		...rest
	};
}

/** Writes the form into a node. What the form does not show stays as it is. `body` must be valid JSON. */
export function writeNode(before: Document, form: NodeForm): Document {
	const { path: _path, method: _method, body_kind: _kind, header: oldHeader, query: oldQuery, timeout_s: _timeout, body: _body, operation: oldOperation, price: oldPrice, ...otherData } = object(before.data);
	const price = writePrice(oldPrice, form.price);
	const data = {
		...present({ method: form.method, path: form.path, body_kind: form.bodyKind, header: writePairs(oldHeader, form.headers), query: writePairs(oldQuery, form.query), timeout_s: form.timeoutS, operation: form.operation === 'custom' ? oldOperation : form.operation }),
		...(form.body.trim() === '' ? {} : { body: JSON.parse(form.body) as unknown }),
		...(price ? { price } : {}),
		...otherData
	};
	const { id: _id, data: _data, ...rest } = before;
	return {
		...(form.id ? { id: form.id } : {}),
		...rest,
		name: form.name,
		description: form.description,
		connector_id: form.connectorId || undefined,
		input: form.inputs.filter(({ name }) => name).map(writeInput),
		output: form.outputs.filter(({ name }) => name).map(({ name, type, mapping, description, pick, rest: others }) => ({ ...present({ name, type, mapping, description, pick }), ...others })),
		...(Object.keys(data).length > 0 ? { data } : {})
	};
}

/** The place of a value in a reply, as a mapping: `data[0].url`. Names that are no identifiers are quoted. */
export function formatMapping(path: readonly (string | number)[]): string {
	return path.reduce<string>((written, segment) => {
		if (typeof segment === 'number') return `${written}[${segment}]`;
		if (/^[A-Za-z_][\w-]*$/.test(segment)) return written === '' ? segment : `${written}.${segment}`;
		return `${written === '' ? '$' : written}[${JSON.stringify(segment)}]`;
	}, '');
}

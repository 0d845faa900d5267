import { isObject } from '#lib/workflow/modules.ts';
import { readPairs, writePairs, type Pair } from './pairs.ts';
import { readPrice, writePrice, type PriceForm } from './price-form.ts';

/** Ways to authenticate that the form offers. Others are edited as JSON. */
export type AuthKind = 'none' | 'bearer' | 'header' | 'query' | 'basic' | 'other';

/** A connector as the form shows it. */
export interface ConnectorForm {
	name: string;
	id: string;
	baseUrl: string;
	method: string;
	auth: { kind: AuthKind; name: string; prefix: string; secret: string; user: string };
	headers: Pair[];
	query: Pair[];
	inFlight: number | undefined;
	requests: number | undefined;
	windowS: number | undefined;
	timeoutS: number | undefined;
	/** Template of the body of nodes that have none, as JSON; empty for none. */
	body: string;
	/** Further hosts, one per line. Those with credentials are kept as they are. */
	hosts: string;
	/** Hosts of the provider's files, one per line. */
	mediaHosts: string;
	price: PriceForm;
}

type Document = Record<string, unknown>;

/** An id made from a name: `My API` is `my-api`. */
export function idFromName(name: string): string {
	return name
		.toLowerCase()
		.normalize('NFKD')
		.replace(/[^a-z0-9]+/g, '-')
		.replace(/^-+|-+$/g, '')
		.slice(0, 64);
}

const text = (value: unknown) => (typeof value === 'string' ? value : '');
const number = (value: unknown) => (typeof value === 'number' ? value : undefined);
const object = (value: unknown): Document => (isObject(value) ? value : {});

/** Splits `Bearer $NAME` into its prefix and the secret's name; null if it has another form. */
function splitSecret(value: string): { prefix: string; secret: string } | null {
	const found = /^([^$]*)\$([A-Za-z_]\w*)$/.exec(value);
	return found ? { prefix: found[1] ?? '', secret: found[2] ?? '' } : null;
}

function isAuthorization(name: string): boolean {
	return name.toLowerCase() === 'authorization';
}

/** Error in the body template; empty if there is none. */
export function describeBodyFault({ body }: { body: string }): string {
	if (body.trim() === '') return '';
	try {
		JSON.parse(body);
		return '';
	} catch (error) {
		return `invalid JSON: ${error instanceof Error ? error.message : String(error)}`;
	}
}

/** Reads a connector for the form. */
export function readConnector(document: Document): ConnectorForm {
	const data = object(document.data);
	const limits = object(data.limits);
	const requests = object(limits.requests);
	const { auth, headers } = readAuth(data.auth, readPairs(document.header));
	return {
		name: text(document.name),
		id: text(document.id),
		baseUrl: text(document.base_url),
		method: text(document.method) || 'POST',
		auth,
		headers,
		query: readPairs(data.query),
		inFlight: number(limits.in_flight),
		requests: number(requests.count),
		windowS: number(requests.window_s),
		timeoutS: number(data.timeout_s),
		body: document.body === undefined || document.body === null ? '' : JSON.stringify(document.body, null, 2),
		hosts: toLines(data.hosts),
		mediaHosts: toLines(data.media_hosts),
		price: readPrice(data.price)
	};
}

/** The entries of a list that are texts, one per line. */
function toLines(value: unknown): string {
	return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string').join('\n') : '';
}

/** Writes lines back into a list. Entries that are not texts stay, at the end. */
function fromLines(before: unknown, lines: string): { list?: unknown[] } {
	const entered = lines.split(/[\s,]+/).filter(Boolean);
	const others = Array.isArray(before) ? before.filter((entry) => typeof entry !== 'string') : [];
	const list = [...entered, ...others];
	return list.length > 0 ? { list } : {};
}

const NO_AUTH: ConnectorForm['auth'] = { kind: 'none', name: '', prefix: '', secret: '', user: '' };

function readAuth(declared: unknown, headers: Pair[]): { auth: ConnectorForm['auth']; headers: Pair[] } {
	if (declared !== undefined && declared !== null) return { auth: readDeclaredAuth(object(declared)), headers };
	const at = headers.findIndex(({ name, value }) => (isAuthorization(name) || /key|token/i.test(name)) && splitSecret(value));
	const found = headers[at];
	if (!found) return { auth: NO_AUTH, headers };
	const { prefix, secret } = splitSecret(found.value)!;
	const others = headers.filter((_, index) => index !== at);
	const isBearer = isAuthorization(found.name) && prefix === 'Bearer ';
	return { auth: { ...NO_AUTH, kind: isBearer ? 'bearer' : 'header', name: isBearer ? '' : found.name, prefix: isBearer ? '' : prefix, secret }, headers: others };
}

function readDeclaredAuth(auth: Document): ConnectorForm['auth'] {
	const token = splitSecret(text(auth.token ?? auth.bearer));
	const value = splitSecret(text(auth.value));
	const password = splitSecret(text(auth.password));
	const kind = text(auth.kind) || ('bearer' in auth ? 'bearer' : '');
	if (kind === 'bearer' && token?.prefix === '') return { ...NO_AUTH, kind: 'bearer', secret: token.secret };
	if ((kind === 'header' || kind === 'query') && value) return { ...NO_AUTH, kind, name: text(auth.name), prefix: value.prefix, secret: value.secret };
	if (kind === 'basic' && password?.prefix === '') return { ...NO_AUTH, kind: 'basic', user: text(auth.user), secret: password.secret };
	return { ...NO_AUTH, kind: 'other' };
}

/** Writes the form into a connector. What the form does not show stays as it is. `body` must be valid JSON. */
export function writeConnector(before: Document, form: ConnectorForm): Document {
	const { auth: oldAuth, limits: oldLimits, query: oldQuery, timeout_s: _timeout, hosts: oldHosts, media_hosts: oldMediaHosts, price: oldPrice, ...otherData } = object(before.data);
	const data: Document = { ...otherData };
	const header: Document = writePairs(before.header, form.headers) ?? {};
	const { kind, name, prefix, secret, user } = form.auth;
	if (kind === 'other') data.auth = oldAuth;
	else if (kind === 'bearer' && secret) header.Authorization = `Bearer $${secret}`;
	else if (kind === 'header' && secret) header[name || 'Authorization'] = `${prefix}$${secret}`;
	else if (kind === 'query' && secret) data.auth = { kind: 'query', name, value: `${prefix}$${secret}` };
	else if (kind === 'basic' && secret) data.auth = { kind: 'basic', user, password: `$${secret}` };
	const query = writePairs(oldQuery, form.query);
	if (query) data.query = query;
	const { in_flight: _inFlight, requests: _requests, ...otherLimits } = object(oldLimits);
	const limits: Document = {
		...otherLimits,
		...(form.inFlight === undefined ? {} : { in_flight: form.inFlight }),
		...(form.requests === undefined ? {} : { requests: { count: form.requests, window_s: form.windowS ?? 60 } })
	};
	if (Object.keys(limits).length > 0) data.limits = limits;
	if (form.timeoutS !== undefined) data.timeout_s = form.timeoutS;
	const hosts = fromLines(oldHosts, form.hosts).list;
	const mediaHosts = fromLines(oldMediaHosts, form.mediaHosts).list;
	const price = writePrice(oldPrice, form.price);
	if (hosts) data.hosts = hosts;
	if (mediaHosts) data.media_hosts = mediaHosts;
	if (price) data.price = price;
	const { header: _header, data: _data, body: _body, ...rest } = before;
	return {
		...rest,
		...(form.id ? { id: form.id } : {}),
		name: form.name,
		base_url: form.baseUrl,
		method: form.method,
		...(Object.keys(header).length > 0 ? { header } : {}),
		...(form.body.trim() === '' ? {} : { body: JSON.parse(form.body) as unknown }),
		...(Object.keys(data).length > 0 ? { data } : {})
	};
}

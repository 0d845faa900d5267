import { isObject } from '#lib/workflow/modules.ts';

/** A header or query parameter. */
export interface Pair {
	name: string;
	value: string;
}

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

function toPairs(value: unknown): Pair[] {
	return Object.entries(object(value)).map(([name, found]) => ({ name, value: typeof found === 'string' ? found : JSON.stringify(found) }));
}

/** Splits `Bearer $NAME` into its prefix and the secret's name; null if it has another form. */
function splitSecret(value: string): { prefix: string; secret: string } | null {
	const found = /^([^$]*)\$([A-Za-z_]\w*)$/.exec(value);
	return found ? { prefix: found[1] ?? '', secret: found[2] ?? '' } : null;
}

function isAuthorization(name: string): boolean {
	return name.toLowerCase() === 'authorization';
}

/** Reads a connector for the form. */
export function readConnector(document: Document): ConnectorForm {
	const data = object(document.data);
	const limits = object(data.limits);
	const requests = object(limits.requests);
	const { auth, headers } = readAuth(data.auth, toPairs(document.header));
	return {
		name: text(document.name),
		id: text(document.id),
		baseUrl: text(document.base_url),
		method: text(document.method) || 'POST',
		auth,
		headers,
		query: toPairs(data.query),
		inFlight: number(limits.in_flight),
		requests: number(requests.count),
		windowS: number(requests.window_s),
		timeoutS: number(data.timeout_s)
	};
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

/** Writes the form into a connector. What the form does not show stays as it is. */
export function writeConnector(before: Document, form: ConnectorForm): Document {
	const { auth: oldAuth, limits: oldLimits, query: _query, timeout_s: _timeout, ...otherData } = object(before.data);
	const data: Document = { ...otherData };
	const header: Document = Object.fromEntries(form.headers.filter(({ name }) => name).map(({ name, value }) => [name, value]));
	const { kind, name, prefix, secret, user } = form.auth;
	if (kind === 'other') data.auth = oldAuth;
	else if (kind === 'bearer' && secret) header.Authorization = `Bearer $${secret}`;
	else if (kind === 'header' && secret) header[name || 'Authorization'] = `${prefix}$${secret}`;
	else if (kind === 'query' && secret) data.auth = { kind: 'query', name, value: `${prefix}$${secret}` };
	else if (kind === 'basic' && secret) data.auth = { kind: 'basic', user, password: `$${secret}` };
	const query = form.query.filter((pair) => pair.name);
	if (query.length > 0) data.query = Object.fromEntries(query.map((pair) => [pair.name, pair.value]));
	const { in_flight: _inFlight, requests: _requests, ...otherLimits } = object(oldLimits);
	const limits: Document = {
		...otherLimits,
		...(form.inFlight === undefined ? {} : { in_flight: form.inFlight }),
		...(form.requests === undefined ? {} : { requests: { count: form.requests, window_s: form.windowS ?? 60 } })
	};
	if (Object.keys(limits).length > 0) data.limits = limits;
	if (form.timeoutS !== undefined) data.timeout_s = form.timeoutS;
	const { header: _header, data: _data, ...rest } = before;
	return {
		...rest,
		...(form.id ? { id: form.id } : {}),
		name: form.name,
		base_url: form.baseUrl,
		method: form.method,
		...(Object.keys(header).length > 0 ? { header } : {}),
		...(Object.keys(data).length > 0 ? { data } : {})
	};
}

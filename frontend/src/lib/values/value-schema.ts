import { isMediaType, MEDIA_KINDS } from '#lib/media/media.ts';
import { isObject } from '#lib/workflow/modules.ts';

/** What a field edits. Media are files or links; an empty kind is any value. */
export type ValueKind = 'string' | 'number' | 'integer' | 'boolean' | 'object' | 'array' | 'image' | 'video' | 'audio' | 'file' | '';

/** What is known about a value, from a JSON Schema or from the declaration of a node's input. */
export interface ValueSchema {
	kind: ValueKind;
	/** Name to show instead of the property's; empty if there is none. */
	title: string;
	description: string;
	/** The allowed values; empty if any is allowed. */
	options: unknown[];
	minimum: number | null;
	maximum: number | null;
	minLength: number | null;
	maxLength: number | null;
	minItems: number | null;
	maxItems: number | null;
	/** Regular expression that a text must match; empty if there is none. */
	pattern: string;
	/** Whether a file must be given as a link: the schema takes no objects. */
	isLink: boolean;
	/** MIME types of files that are accepted; empty if all are. */
	accept: string[];
	/** Value that applies if none is given; `undefined` if there is none. */
	fallback: unknown;
	/** Whether text is likely to have several lines. */
	long: boolean;
	/** Properties of an object that are declared, in the order of the form. */
	properties: [name: string, schema: ValueSchema][];
	/** Names of the properties that an object must have. */
	required: string[];
	/** Schema of an object's other properties; null if it has no others. */
	others: ValueSchema | null;
	/** Schema of a list's items. */
	items: ValueSchema | null;
}

type Schema = Record<string, unknown>;

/** A value that nothing is known about. */
export const ANY_VALUE: ValueSchema = {
	kind: '',
	title: '',
	description: '',
	options: [],
	minimum: null,
	maximum: null,
	minLength: null,
	maxLength: null,
	minItems: null,
	maxItems: null,
	pattern: '',
	isLink: false,
	accept: [],
	fallback: undefined,
	long: false,
	properties: [],
	required: [],
	others: null,
	items: null
};

const KINDS: readonly string[] = ['string', 'number', 'integer', 'boolean', 'object', 'array'];

/** Kind of the values of a JSON Schema. A format or content type of media counts as a kind of its own; `null` is left out. */
export function kindOfSchema({ type, format, contentMediaType }: Schema): ValueKind {
	const types = [type ?? []].flat().filter((name): name is string => typeof name === 'string' && name !== 'null');
	const media = MEDIA_KINDS.find((kind) => format === kind || (typeof contentMediaType === 'string' && contentMediaType.startsWith(`${kind}/`)));
	if (media && !types.some((name) => name !== 'string' && name !== 'object')) return media;
	const [only, second] = types;
	return only !== undefined && second === undefined && KINDS.includes(only) ? (only as ValueKind) : '';
}

/** Reads a JSON Schema. Parts that have no field, such as `$ref` and `oneOf`, are values of any kind. */
export function readSchema(schema: unknown, name = ''): ValueSchema {
	const fields = isObject(schema) ? schema : {};
	const kind = kindOfSchema(fields);
	const properties = isObject(fields.properties) ? fields.properties : {};
	const order = Array.isArray(fields.order) ? fields.order.filter((key): key is string => typeof key === 'string' && key in properties) : [];
	const names = [...new Set([...order, ...Object.keys(properties)])];
	const { additionalProperties: others } = fields;
	return {
		kind,
		title: text(fields.title),
		description: text(fields.description),
		options: Array.isArray(fields.enum) ? fields.enum : [],
		minimum: number(fields.minimum),
		maximum: number(fields.maximum),
		minLength: number(fields.minLength),
		maxLength: number(fields.maxLength),
		minItems: number(fields.minItems),
		maxItems: number(fields.maxItems),
		pattern: text(fields.pattern),
		isLink: isMediaType(kind) && fields.type === 'string',
		accept: [],
		fallback: fields.default,
		long: isLongText(name) || fields.format === 'textarea',
		properties: names.map((key) => [key, readSchema(properties[key], key)]),
		required: Array.isArray(fields.required) ? fields.required.filter((key): key is string => typeof key === 'string') : [],
		others: kind === 'object' && others !== false && (names.length === 0 || isObject(others)) ? readSchema(others) : null,
		items: kind === 'array' ? readSchema(fields.items) : null
	};
}

/** The parts of a node's input that a field needs. */
export interface DeclaredInput {
	name: string;
	type: string;
	required?: boolean | null;
	default?: unknown;
	value?: unknown;
	description?: string | null;
	enum?: unknown[] | null;
	minimum?: number | null;
	maximum?: number | null;
	items?: unknown;
	accept?: string[] | null;
}

/** Reads the declaration of a node's input. */
export function readDeclaredInput(input: DeclaredInput): ValueSchema {
	const kind = toKind(input.type);
	const items = isObject(input.items) && typeof input.items.type === 'string' ? input.items.type : '';
	return {
		...ANY_VALUE,
		kind,
		description: input.description ?? '',
		options: input.enum ?? [],
		minimum: input.minimum ?? null,
		maximum: input.maximum ?? null,
		accept: input.accept ?? [],
		fallback: input.value === undefined ? input.default : input.value,
		long: isLongText(input.name),
		others: kind === 'object' ? ANY_VALUE : null,
		items: kind === 'array' ? { ...ANY_VALUE, kind: toKind(items), accept: isMediaType(items) ? (input.accept ?? []) : [] } : null
	};
}

/** The kind that a type of a declaration names; empty if it is unknown. */
export function toKind(type: string): ValueKind {
	return KINDS.includes(type) || isMediaType(type) ? (type as ValueKind) : '';
}

/** Kind of a value that has no schema: the one of its field in a row. */
export function kindOfValue(value: unknown): ValueKind {
	if (Array.isArray(value)) return 'array';
	if (isObject(value)) return typeof value.artifact === 'string' && typeof value.mime === 'string' ? mediaKindOf(value.mime) : 'object';
	if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return typeof value as ValueKind;
	return '';
}

function mediaKindOf(mime: string): ValueKind {
	const family = mime.split('/')[0] ?? '';
	return isMediaType(family) ? family : 'file';
}

/** Words for kinds in labels and selects. */
export const KIND_LABELS: Record<ValueKind, string> = {
	string: 'text',
	number: 'number',
	integer: 'whole number',
	boolean: 'yes or no',
	object: 'object',
	array: 'list',
	image: 'image',
	video: 'video',
	audio: 'audio',
	file: 'file',
	'': 'any value'
};

/** Describes the kind of a schema: `list of images`. */
export function describeKind({ kind, items }: Pick<ValueSchema, 'kind' | 'items'>): string {
	if (kind !== 'array' || !items || items.kind === '') return KIND_LABELS[kind];
	const plural: Partial<Record<ValueKind, string>> = { string: 'texts', boolean: 'yes or no', audio: 'audio files', array: 'lists' };
	return `list of ${plural[items.kind] ?? `${KIND_LABELS[items.kind]}s`}`;
}

function isLongText(name: string): boolean {
	return /prompt|text|description|message/i.test(name);
}

function text(value: unknown): string {
	return typeof value === 'string' ? value : '';
}

function number(value: unknown): number | null {
	return typeof value === 'number' ? value : null;
}

import { MEDIA_KINDS } from './media.ts';

/** How a form field is rendered and parsed. */
export type FieldKind = 'text' | 'number' | 'integer' | 'boolean' | 'enum' | 'json' | 'image' | 'video' | 'audio' | 'file';

/** A form field for one property of a JSON Schema. */
export interface Field {
	name: string;
	label: string;
	description: string;
	kind: FieldKind;
	required: boolean;
	/** Allowed values, for `enum`. */
	options: unknown[];
	/** Default value; `undefined` if there is none. */
	fallback: unknown;
	/** Whether the text field has several lines. */
	long: boolean;
}

/**
 * Values entered by the user, by field: text, the index of an option, or for media a URL or the JSON of a kept file. An
 * empty string means "not set".
 */
export type Answers = Record<string, string>;

/** Result of parsing a form: the input, and an error message for each invalid field. */
export interface ParsedAnswers {
	input: Record<string, unknown>;
	errors: Record<string, string>;
}

/** The parts of a node input that a form needs. */
export interface DeclaredInput {
	name: string;
	type: string;
	required?: boolean | null;
	default?: unknown;
	value?: unknown;
	description?: string | null;
	enum?: unknown[] | null;
}

type Schema = Record<string, unknown>;

function object(value: unknown): Schema {
	return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Schema) : {};
}

/** Kind of a property whose format names a medium. */
function mediaKind({ format, contentMediaType }: Schema): FieldKind | undefined {
	return MEDIA_KINDS.find((kind) => format === kind || (typeof contentMediaType === 'string' && contentMediaType.startsWith(`${kind}/`)));
}

function kindOf(types: string[]): FieldKind {
	const [type, more] = types.filter((name) => name !== 'null');
	if (more) return 'json';
	switch (type) {
		case 'string':
			return 'text';
		case 'number':
		case 'integer':
		case 'boolean':
			return type;
		default:
			return 'json';
	}
}

/** Form fields of an object schema, in schema order (those in `order` first). */
export function fieldsFromSchema(schema: unknown): Field[] {
	const root = object(schema);
	const properties = object(root.properties);
	const required = Array.isArray(root.required) ? root.required : [];
	const order = Array.isArray(root.order) ? root.order.filter((name) => name in properties) : [];
	const names = [...new Set<string>([...order, ...Object.keys(properties)])];
	return names.map((name) => {
		const property = object(properties[name]);
		const options = Array.isArray(property.enum) ? property.enum : [];
		const types = [property.type ?? []].flat().filter((type) => typeof type === 'string');
		return {
			name,
			label: typeof property.title === 'string' && property.title ? property.title : name,
			description: typeof property.description === 'string' ? property.description : '',
			kind: options.length > 0 ? 'enum' : (mediaKind(property) ?? kindOf(types)),
			required: required.includes(name),
			options,
			fallback: property.default,
			long: isLong(name, property)
		};
	});
}

/** Form fields of a node's inputs. */
export function fieldsFromInputs(inputs: readonly DeclaredInput[]): Field[] {
	return inputs.map((input) => ({
		name: input.name,
		label: input.name,
		description: input.description ?? '',
		kind: input.enum?.length ? 'enum' : (MEDIA_KINDS.find((kind) => kind === input.type) ?? kindOf([input.type])),
		required: (input.required ?? false) && input.value === undefined && input.default === undefined,
		options: input.enum ?? [],
		fallback: input.value === undefined ? input.default : input.value,
		long: isLong(input.name, {})
	}));
}

function isLong(name: string, property: Schema): boolean {
	return /prompt|text|description|message/i.test(name) || property.format === 'textarea';
}

/** A JSON field for a value without a known structure. */
export function jsonField(name: string, label: string, description: string, fallback?: unknown): Field {
	return { name, label, description, kind: 'json', required: false, options: [], fallback, long: true };
}

/**
 * Form fields to edit the input of an earlier job. The document may have changed since: values without a matching field
 * are shown as JSON, and no field is required, because the server checks the input against the earlier version.
 */
export function fieldsForRerun(fields: readonly Field[], input: unknown): Field[] {
	if (fields.length === 0) return [];
	const given = object(input);
	const shown = fields.map((field) => {
		const same = parseAnswers([field], answersFromInput([field], given)).input[field.name];
		const fits = !Object.hasOwn(given, field.name) || JSON.stringify(same) === JSON.stringify(given[field.name]);
		return { ...field, required: false, kind: fits ? field.kind : ('json' as const) };
	});
	const others = Object.keys(given).filter((name) => !fields.some((field) => field.name === name));
	return [...shown, ...others.map((name) => jsonField(name, name, ''))];
}

/** Placeholder text that shows the default value of a field. */
export function placeholderFor(field: Field): string {
	if (field.fallback === undefined || field.fallback === '') return '';
	return typeof field.fallback === 'string' ? field.fallback : JSON.stringify(field.fallback);
}

/** Parses the entered values. Empty fields are omitted, so that the server's defaults apply. */
export function parseAnswers(fields: readonly Field[], answers: Answers): ParsedAnswers {
	const input: Record<string, unknown> = {};
	const errors: Record<string, string> = {};
	for (const field of fields) {
		const text = answers[field.name] ?? '';
		if (text === '') {
			if (field.required && field.fallback === undefined) errors[field.name] = 'a value is required';
			continue;
		}
		const read = parse(field, text);
		if ('error' in read) errors[field.name] = read.error;
		else input[field.name] = read.value;
	}
	return { input, errors };
}

function parse(field: Field, text: string): { value: unknown } | { error: string } {
	switch (field.kind) {
		case 'text':
			return { value: text };
		case 'number':
		case 'integer': {
			const value = Number(text);
			if (!Number.isFinite(value)) return { error: 'must be a number' };
			if (field.kind === 'integer' && !Number.isInteger(value)) return { error: 'must be a whole number' };
			return { value };
		}
		case 'boolean':
			return { value: text === 'true' };
		case 'enum':
			return { value: field.options[Number(text)] };
		case 'image':
		case 'video':
		case 'audio':
		case 'file':
			return { value: parseMediaAnswer(text) };
		case 'json':
			try {
				return { value: JSON.parse(text) as unknown };
			} catch {
				return { error: 'invalid JSON; strings need quotes' };
			}
	}
}

/** The value of a media field: a kept file as an object, or a URL. */
export function parseMediaAnswer(text: string): unknown {
	if (!text.startsWith('{')) return text;
	try {
		return JSON.parse(text) as unknown;
	} catch {
		return text;
	}
}

/** Converts an input back to field values, to run a job again with the same input. */
export function answersFromInput(fields: readonly Field[], input: unknown): Answers {
	const given = object(input);
	const answers: Answers = {};
	for (const field of fields) {
		if (!Object.hasOwn(given, field.name)) continue;
		const value = given[field.name];
		switch (field.kind) {
			case 'text':
				answers[field.name] = typeof value === 'string' ? value : '';
				break;
			case 'enum': {
				const index = field.options.findIndex((option) => JSON.stringify(option) === JSON.stringify(value));
				answers[field.name] = index < 0 ? '' : String(index);
				break;
			}
			case 'number':
			case 'integer':
			case 'boolean':
				answers[field.name] = JSON.stringify(value);
				break;
			case 'image':
			case 'video':
			case 'audio':
			case 'file':
				answers[field.name] = typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value);
				break;
			case 'json':
				answers[field.name] = JSON.stringify(value, null, 2);
				break;
		}
	}
	return answers;
}

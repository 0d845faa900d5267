/** How a field of a form is shown and read. */
export type FieldKind = 'text' | 'number' | 'integer' | 'boolean' | 'enum' | 'json';

/** One field of a form, made of one property of a JSON Schema. */
export interface Field {
	name: string;
	label: string;
	description: string;
	kind: FieldKind;
	required: boolean;
	/** Allowed values, for `enum`. */
	options: unknown[];
	/** Used where the field is left empty; `undefined` where the schema has none. */
	fallback: unknown;
	/** A text that deserves more than one line. */
	long: boolean;
}

/** What a person typed, by field: text, or the index of an option. An empty text means "not given". */
export type Answers = Record<string, string>;

/** What a form gives: the input, or a message for each field that cannot be read. */
export interface Collected {
	input: Record<string, unknown>;
	errors: Record<string, string>;
}

/** A declared input of a node, as far as a form needs it. */
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

/** The fields of an object schema, in the schema's order (`order` first where it is given). */
export function fieldsOfSchema(schema: unknown): Field[] {
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
			kind: options.length > 0 ? 'enum' : kindOf(types),
			required: required.includes(name),
			options,
			fallback: property.default,
			long: isLong(name, property)
		};
	});
}

/** The fields of a node's declared inputs; media inputs take an address, so they are texts. */
export function fieldsOfInputs(inputs: readonly DeclaredInput[]): Field[] {
	const media = new Set(['image', 'video', 'audio', 'file']);
	return inputs.map((input) => ({
		name: input.name,
		label: input.name,
		description: input.description ?? '',
		kind: input.enum?.length ? 'enum' : kindOf([media.has(input.type) ? 'string' : input.type]),
		required: (input.required ?? false) && input.value === undefined && input.default === undefined,
		options: input.enum ?? [],
		fallback: input.value === undefined ? input.default : input.value,
		long: isLong(input.name, {})
	}));
}

function isLong(name: string, property: Schema): boolean {
	return /prompt|text|description|message/i.test(name) || property.format === 'textarea';
}

/** A field for a whole value, as JSON, where nothing says what it is made of. */
export function wholeField(name: string, label: string, description: string, fallback?: unknown): Field {
	return { name, label, description, kind: 'json', required: false, options: [], fallback, long: true };
}

/**
 * Fields for an input that was given once and may be changed now. The document may have other fields today: what has
 * none, or does not fit its own, is shown as JSON, and nothing is required, as the server knows what was wanted then.
 */
export function fieldsFor(fields: readonly Field[], input: unknown): Field[] {
	if (fields.length === 0) return [];
	const given = object(input);
	const shown = fields.map((field) => {
		const same = collect([field], answersOf([field], given)).input[field.name];
		const fits = !Object.hasOwn(given, field.name) || JSON.stringify(same) === JSON.stringify(given[field.name]);
		return { ...field, required: false, kind: fits ? field.kind : ('json' as const) };
	});
	const others = Object.keys(given).filter((name) => !fields.some((field) => field.name === name));
	return [...shown, ...others.map((name) => wholeField(name, name, ''))];
}

/** What a field shows of its fallback, as a placeholder. */
export function hint(field: Field): string {
	if (field.fallback === undefined || field.fallback === '') return '';
	return typeof field.fallback === 'string' ? field.fallback : JSON.stringify(field.fallback);
}

/** Reads the answers: an empty field is left out, so that the server's own defaults apply. */
export function collect(fields: readonly Field[], answers: Answers): Collected {
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
			if (!Number.isFinite(value)) return { error: 'this is not a number' };
			if (field.kind === 'integer' && !Number.isInteger(value)) return { error: 'a whole number is wanted' };
			return { value };
		}
		case 'boolean':
			return { value: text === 'true' };
		case 'enum':
			return { value: field.options[Number(text)] };
		case 'json':
			try {
				return { value: JSON.parse(text) as unknown };
			} catch {
				return { error: 'this is not JSON; a text needs quotes' };
			}
	}
}

/** Answers that show a given input again, for "run again with the same". */
export function answersOf(fields: readonly Field[], input: unknown): Answers {
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
			case 'json':
				answers[field.name] = JSON.stringify(value, null, 2);
				break;
		}
	}
	return answers;
}

import { findFault } from '#lib/values/value-rows.ts';
import { ANY_VALUE, readDeclaredInput, readSchema, type DeclaredInput, type ValueSchema } from '#lib/values/value-schema.ts';

/** How a form field is rendered and parsed. */
export type FieldKind = 'text' | 'number' | 'integer' | 'boolean' | 'enum' | 'object' | 'array' | 'json' | 'image' | 'video' | 'audio' | 'file';

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
	/** What is known about the value. */
	schema: ValueSchema;
}

/**
 * Values entered by the user, by field: text, the index of an option, the JSON of an object or a list, or for media a URL
 * or the JSON of a kept file. An empty string means "not set".
 */
export type Answers = Record<string, string>;

/** Result of parsing a form: the input, and an error message for each invalid field. */
export interface ParsedAnswers {
	input: Record<string, unknown>;
	errors: Record<string, string>;
}

type Schema = Record<string, unknown>;

function object(value: unknown): Schema {
	return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Schema) : {};
}

function kindOf({ kind, options }: ValueSchema): FieldKind {
	if (options.length > 0) return 'enum';
	return kind === 'string' ? 'text' : kind === '' ? 'json' : kind;
}

function toField(name: string, required: boolean, schema: ValueSchema): Field {
	const { title, description, options, fallback, long } = schema;
	return { name, label: title || name, description, kind: kindOf(schema), required, options, fallback, long, schema };
}

/** Form fields of an object schema, in schema order (those in `order` first). */
export function fieldsFromSchema(schema: unknown): Field[] {
	const { properties, required } = readSchema({ ...object(schema), type: 'object' });
	return properties.map(([name, inner]) => toField(name, required.includes(name), inner));
}

/** Form fields of a node's inputs. */
export function fieldsFromInputs(inputs: readonly DeclaredInput[]): Field[] {
	return inputs.map((input) => toField(input.name, (input.required ?? false) && input.value === undefined && input.default === undefined, readDeclaredInput(input)));
}

/** A JSON field for a value without a known structure. */
export function jsonField(name: string, label: string, description: string, fallback?: unknown): Field {
	return { name, label, description, kind: 'json', required: false, options: [], fallback, long: true, schema: ANY_VALUE };
}

/**
 * Form fields to edit the input of an earlier job. The document may have changed since: values without a matching field
 * are shown as JSON, and no field is required, because the server checks the input against the earlier version.
 */
export function fieldsForRerun(fields: readonly Field[], input: unknown): Field[] {
	if (fields.length === 0) return [];
	const given = object(input);
	const shown = fields.map((field) => {
		const { input: same, errors } = parseAnswers([field], answersFromInput([field], given));
		const fits = !Object.hasOwn(given, field.name) || (!(field.name in errors) && JSON.stringify(same[field.name]) === JSON.stringify(given[field.name]));
		return fits ? { ...field, required: false } : { ...field, required: false, kind: 'json' as const, schema: ANY_VALUE };
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
		const fault = 'error' in read ? read.error : findFault(read.value, field.schema);
		if ('value' in read) input[field.name] = read.value;
		if (fault) errors[field.name] = fault;
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
		case 'object':
		case 'array':
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
			case 'object':
			case 'array':
			case 'json':
				answers[field.name] = JSON.stringify(value, null, 2);
				break;
		}
	}
	return answers;
}

/** The value of the answer of an object or a list; `undefined` if it is not set. */
export function readJsonAnswer(text: string): unknown {
	try {
		return text === '' ? undefined : (JSON.parse(text) as unknown);
	} catch {
		return undefined;
	}
}

/** The answer for an object or a list. */
export function writeJsonAnswer(value: unknown): string {
	return value === undefined ? '' : JSON.stringify(value, null, 2);
}

import { isMediaType } from '#lib/media/media.ts';
import { moveItem } from '#lib/values/value-rows.ts';
import { kindOfSchema, type ValueKind } from '#lib/values/value-schema.ts';
import { isObject } from './modules.ts';
import { parseTyped } from './transforms.ts';

type Schema = Record<string, unknown>;

/** Types of a workflow's inputs. Media are strings in JSON Schema, with a format that names them. */
export type InputType = ValueKind;

/** Types to choose from, with their labels. */
export const INPUT_TYPES: readonly { value: InputType; label: string }[] = [
	{ value: 'string', label: 'Text' },
	{ value: 'image', label: 'Image' },
	{ value: 'video', label: 'Video' },
	{ value: 'audio', label: 'Audio' },
	{ value: 'file', label: 'File' },
	{ value: 'number', label: 'Number' },
	{ value: 'integer', label: 'Whole number' },
	{ value: 'boolean', label: 'Yes or no' },
	{ value: 'array', label: 'List' },
	{ value: 'object', label: 'Object' },
	{ value: '', label: 'Anything' }
];

/** Limits of a value, as JSON Schema names them. `undefined` removes one. */
export interface Limits {
	minimum?: number;
	maximum?: number;
	minLength?: number;
	maxLength?: number;
	minItems?: number;
	maxItems?: number;
	pattern?: string;
}

/** A property of a schema as the form shows it: an input of a workflow, or a field of an approval. */
export interface InputField {
	name: string;
	type: InputType;
	required: boolean;
	title: string;
	description: string;
	/** The allowed values. */
	options: unknown[];
	fallback: unknown;
	limits: Limits;
	/** Type of a list's items. */
	itemType: InputType;
	/** The property's own schema. */
	schema: Schema;
}

/** Changes of a property. An absent field stays as it is. */
export interface InputChange {
	name?: string;
	type?: InputType;
	required?: boolean;
	title?: string;
	description?: string;
	options?: unknown[];
	fallback?: unknown;
	limits?: Limits;
	itemType?: InputType;
	/** The properties of an object, as a schema. */
	object?: Schema;
	/** The schema of a list's items. */
	items?: Schema;
}

const LIMITS = ['minimum', 'maximum', 'minLength', 'maxLength', 'minItems', 'maxItems', 'pattern'] as const;

function propertiesOf(schema: Schema): Record<string, Schema> {
	const properties = isObject(schema.properties) ? schema.properties : {};
	return Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, isObject(value) ? value : {}]));
}

function requiredOf(schema: Schema): string[] {
	return Array.isArray(schema.required) ? schema.required.filter((name) => typeof name === 'string') : [];
}

/** Properties of a schema, in their order. */
export function listInputFields(schema: Schema): InputField[] {
	const required = requiredOf(schema);
	return Object.entries(propertiesOf(schema)).map(([name, property]) => ({
		name,
		type: kindOfSchema(property),
		required: required.includes(name),
		title: typeof property.title === 'string' ? property.title : '',
		description: typeof property.description === 'string' ? property.description : '',
		options: Array.isArray(property.enum) ? property.enum : [],
		fallback: property.default,
		limits: Object.fromEntries(LIMITS.filter((key) => property[key] !== undefined).map((key) => [key, property[key]])),
		itemType: kindOfSchema(isObject(property.items) ? property.items : {}),
		schema: property
	}));
}

function write(schema: Schema, properties: Record<string, Schema>, required: readonly string[]): Schema {
	const { order, ...others } = schema;
	const names = Object.keys(properties);
	const known = required.filter((name) => names.includes(name));
	const { required: before, ...rest } = others;
	const isListed = before !== undefined || known.length > 0;
	// `order` is Windmill's order of the form. It would contradict the order of the properties.
	const type = schema.properties === undefined && schema.type === undefined ? { type: 'object' } : {};
	return { ...type, ...(isListed ? others : rest), properties, ...(isListed ? { required: known } : {}), ...(order === undefined ? {} : { order: names }) };
}

/** Adds an input with a name of its own, such as `input_2`; returns the schema and the name. */
export function addInput(schema: Schema, noun = 'input'): [Schema, string] {
	const properties = propertiesOf(schema);
	let number = Object.keys(properties).length + 1;
	while (`${noun}_${number}` in properties) number += 1;
	const name = `${noun}_${number}`;
	return [write(schema, { ...properties, [name]: { type: 'string' } }, requiredOf(schema)), name];
}

/** Removes an input. */
export function removeInput(schema: Schema, name: string): Schema {
	const { [name]: _removed, ...others } = propertiesOf(schema);
	return write(schema, others, requiredOf(schema));
}

/** Moves an input to another place among the others. */
export function moveInput(schema: Schema, name: string, to: number): Schema {
	const entries = Object.entries(propertiesOf(schema));
	const index = entries.findIndex(([other]) => other === name);
	if (index < 0 || to < 0 || to >= entries.length || to === index) return schema;
	return write(schema, Object.fromEntries(moveItem(entries, index, to)), requiredOf(schema));
}

/** Changes an input; its place among the others stays. */
export function changeInput(schema: Schema, name: string, change: InputChange): Schema {
	const next = change.name ?? name;
	const entries = Object.entries(propertiesOf(schema)).map(([other, property]): [string, Schema] => (other === name ? [next, changeProperty(property, change)] : [other, property]));
	const before = requiredOf(schema).map((other) => (other === name ? next : other));
	const required = change.required === undefined ? before : change.required ? [...new Set([...before, next])] : before.filter((other) => other !== next);
	return write(schema, Object.fromEntries(entries), required);
}

function changeProperty(property: Schema, change: InputChange): Schema {
	const { type, title, description, options, limits, itemType, object, items } = change;
	const next = { ...property };
	if (type !== undefined) {
		for (const key of ['type', 'format', 'contentMediaType', 'items', 'enum', 'default', 'properties', 'required', 'additionalProperties', ...LIMITS]) delete next[key];
		Object.assign(next, schemaOfType(type));
	}
	if (title !== undefined) setOrRemove(next, 'title', title || undefined);
	if (description !== undefined) setOrRemove(next, 'description', description || undefined);
	if (options !== undefined) setOrRemove(next, 'enum', options.length > 0 ? options : undefined);
	if ('fallback' in change) setOrRemove(next, 'default', change.fallback);
	for (const [key, limit] of Object.entries(limits ?? {})) setOrRemove(next, key, limit);
	if (itemType !== undefined) setOrRemove(next, 'items', itemType === '' ? undefined : schemaOfType(itemType));
	if (items !== undefined) next.items = items;
	return object === undefined ? next : { ...next, ...object };
}

/** The schema of a type. A file is given as a link or as an object. */
function schemaOfType(type: InputType): Schema {
	if (type === '') return {};
	return isMediaType(type) ? { type: ['string', 'object'], format: type } : { type };
}

function setOrRemove(target: Schema, key: string, value: unknown): void {
	if (value === undefined) delete target[key];
	else target[key] = value;
}

/** Reads allowed values of a type from lines of text. Lines that are no value of the type are left out. */
export function parseOptions(text: string, type: InputType): unknown[] {
	const lines = text.split('\n').map((line) => line.trim()).filter(Boolean);
	return lines.flatMap((line) => {
		const read = parseTyped(line, type);
		return 'value' in read ? [read.value] : [];
	});
}

/** Allowed values as lines of text. */
export function formatOptions(options: readonly unknown[]): string {
	return options.map((option) => (typeof option === 'string' ? option : JSON.stringify(option))).join('\n');
}

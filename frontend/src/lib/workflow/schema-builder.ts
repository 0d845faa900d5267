import { isMediaType } from '#lib/media.ts';
import { isWithin } from '#lib/pointer.ts';
import { kindOfSchema, type ValueKind } from '#lib/values/value-schema.ts';
import { allModules, isObject } from './modules.ts';
import { findExpressions, findReferences, renameInExpression } from './references.ts';

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

/** An input of a workflow as the form shows it. */
export interface InputField {
	name: string;
	type: InputType;
	required: boolean;
	description: string;
	options: string[];
	fallback: unknown;
}

/** Changes of an input. An absent field stays as it is. */
export interface InputChange {
	name?: string;
	type?: InputType;
	required?: boolean;
	description?: string;
	options?: string[];
	fallback?: unknown;
}

function propertiesOf(schema: Schema): Record<string, Schema> {
	const properties = isObject(schema.properties) ? schema.properties : {};
	return Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, isObject(value) ? value : {}]));
}

function requiredOf(schema: Schema): string[] {
	return Array.isArray(schema.required) ? schema.required.filter((name) => typeof name === 'string') : [];
}

/** Type of a property: a media format counts as a type of its own. */
export function typeOfProperty(property: Schema): InputType {
	return kindOfSchema(property);
}

/** Inputs of a workflow, in the order of its schema. */
export function listInputFields(schema: Schema): InputField[] {
	const required = requiredOf(schema);
	return Object.entries(propertiesOf(schema)).map(([name, property]) => ({
		name,
		type: typeOfProperty(property),
		required: required.includes(name),
		description: typeof property.description === 'string' ? property.description : '',
		options: Array.isArray(property.enum) ? property.enum.map(String) : [],
		fallback: property.default
	}));
}

function write(schema: Schema, properties: Record<string, Schema>, required: readonly string[]): Schema {
	const { order, ...others } = schema;
	const names = Object.keys(properties);
	const known = required.filter((name) => names.includes(name));
	// `order` is Windmill's order of the form. It would contradict the order of the properties.
	return { type: 'object', ...others, properties, required: known, ...(order === undefined ? {} : { order: names }) };
}

/** Adds an input with a name of its own; returns the schema and the name. */
export function addInput(schema: Schema): [Schema, string] {
	const properties = propertiesOf(schema);
	let number = Object.keys(properties).length + 1;
	while (`input_${number}` in properties) number += 1;
	const name = `input_${number}`;
	return [write(schema, { ...properties, [name]: { type: 'string' } }, requiredOf(schema)), name];
}

/** Removes an input. */
export function removeInput(schema: Schema, name: string): Schema {
	const { [name]: _removed, ...others } = propertiesOf(schema);
	return write(schema, others, requiredOf(schema));
}

/** Moves an input up (-1) or down (1). */
export function moveInput(schema: Schema, name: string, by: 1 | -1): Schema {
	const entries = Object.entries(propertiesOf(schema));
	const index = entries.findIndex(([other]) => other === name);
	const target = index + by;
	if (index < 0 || target < 0 || target >= entries.length) return schema;
	entries.splice(target, 0, ...entries.splice(index, 1));
	return write(schema, Object.fromEntries(entries), requiredOf(schema));
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
	const { type, description, options } = change;
	const next = { ...property };
	if (type !== undefined) {
		for (const key of ['type', 'format', 'contentMediaType', 'items', 'enum', 'default']) delete next[key];
		if (isMediaType(type)) Object.assign(next, { type: ['string', 'object'], format: type });
		else if (type !== '') next.type = type;
	}
	if (description !== undefined) setOrRemove(next, 'description', description || undefined);
	if (options !== undefined) setOrRemove(next, 'enum', options.length > 0 ? options : undefined);
	if ('fallback' in change) setOrRemove(next, 'default', change.fallback);
	return next;
}

function setOrRemove(target: Schema, key: string, value: unknown): void {
	if (value === undefined) delete target[key];
	else target[key] = value;
}

/** Ids of the steps whose expressions read an input. */
export function stepsUsingInput(document: unknown, name: string): string[] {
	const modules = allModules(document);
	const places = findExpressions(document).filter(({ text }) => findReferences(text, 'flow_input').some(({ step }) => step === name));
	const users = places.map(({ at }) => modules.filter(({ pointer }) => isWithin(at, pointer)).sort((one, other) => other.pointer.length - one.pointer.length)[0]);
	return [...new Set(users.flatMap((placed) => placed?.module.id ?? []))];
}

/** The expressions that change if an input is renamed, with their pointers. */
export function inputRenames(document: unknown, from: string, to: string): [pointer: string, expression: string][] {
	const names = new Map([[from, to]]);
	return findExpressions(document).flatMap(({ at, text }): [string, string][] => {
		const renamed = renameInExpression(text, names, 'flow_input');
		return renamed === text ? [] : [[at, renamed]];
	});
}

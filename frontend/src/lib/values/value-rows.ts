import { isMediaType } from '#lib/media/media.ts';
import { isObject } from '#lib/workflow/modules.ts';
import { EmbeddedExpression } from './embedded-expression.ts';
import { ANY_VALUE, kindOfValue, type ValueKind, type ValueSchema } from './value-schema.ts';

/** A row of an object's form. */
export interface ObjectRow {
	name: string;
	schema: ValueSchema;
	/** Its value; `undefined` if the object has none of this name. */
	value: unknown;
	/** Whether the schema declares it, so that it can't be renamed. */
	isDeclared: boolean;
	isRequired: boolean;
}

type Properties = Record<string, unknown>;

/** Rows of an object: the declared properties, then the others that it has. */
export function listRows(schema: ValueSchema, value: unknown): ObjectRow[] {
	const given = isObject(value) ? value : {};
	const declared = schema.properties.map(([name, inner]) => ({ name, schema: inner, value: own(given, name), isDeclared: true, isRequired: schema.required.includes(name) }));
	const names = new Set(schema.properties.map(([name]) => name));
	const others = Object.keys(given).filter((name) => !names.has(name));
	return [...declared, ...others.map((name) => ({ name, schema: schema.others ?? ANY_VALUE, value: given[name], isDeclared: false, isRequired: false }))];
}

function own(value: Properties, name: string): unknown {
	return Object.hasOwn(value, name) ? value[name] : undefined;
}

/** Sets a property; `undefined` removes it. An object without properties becomes `undefined`. */
export function setProperty(value: unknown, name: string, next: unknown): Properties | undefined {
	const before = isObject(value) ? value : {};
	const entries = Object.entries(before).filter(([key]) => key !== name || next !== undefined);
	const changed = entries.map(([key, inner]): [string, unknown] => [key, key === name ? next : inner]);
	if (next !== undefined && !Object.hasOwn(before, name)) changed.push([name, next]);
	return changed.length > 0 ? Object.fromEntries(changed) : undefined;
}

/** Renames a property in its place. Nothing changes if the name is empty or taken. */
export function renameProperty(value: unknown, from: string, to: string): Properties {
	const before = isObject(value) ? value : {};
	if (to === '' || Object.hasOwn(before, to)) return before;
	return Object.fromEntries(Object.entries(before).map(([key, inner]) => [key === from ? to : key, inner]));
}

/** Adds a property with a name that is not in use; returns the object and the name. */
export function addProperty(value: unknown, schema: ValueSchema): [Properties, string] {
	const before = isObject(value) ? value : {};
	const taken = new Set([...Object.keys(before), ...schema.properties.map(([name]) => name)]);
	let name = 'key';
	for (let number = 2; taken.has(name); number++) name = `key_${number}`;
	return [{ ...before, [name]: emptyValue(schema.others ?? ANY_VALUE) }, name];
}

/** Sets an item of a list. One that is emptied keeps its place. */
export function setItem(list: readonly unknown[], index: number, next: unknown, schema: ValueSchema): unknown[] {
	return list.map((item, at) => (at === index ? (next === undefined ? clearedItem(schema) : next) : item));
}

function clearedItem(schema: ValueSchema): unknown {
	return schema.kind === 'string' || isMediaType(schema.kind) ? '' : schema.kind === 'object' ? {} : schema.kind === 'array' ? [] : null;
}

/** Removes an item. An empty list becomes `undefined`. */
export function removeItem(list: readonly unknown[], index: number): unknown[] | undefined {
	return list.length === 1 && index === 0 ? undefined : list.filter((_, at) => at !== index);
}

/** Moves an item to another index. An index outside of the list changes nothing. */
export function moveItem<T>(list: readonly T[], from: number, to: number): T[] {
	const next = [...list];
	if (to >= 0 && to < list.length && from >= 0 && from < list.length) next.splice(to, 0, ...next.splice(from, 1));
	return next;
}

/** The value that a new item or property gets. */
export function emptyValue(schema: ValueSchema): unknown {
	if (schema.fallback !== undefined) return schema.fallback;
	if (schema.options.length > 0) return schema.options[0];
	switch (schema.kind) {
		case 'number':
		case 'integer':
			return Math.max(0, schema.minimum ?? 0);
		case 'boolean':
			return false;
		case 'object':
			return {};
		case 'array':
			return [];
		default:
			return '';
	}
}

/** Kinds that a property without a schema can have. */
export const FREE_KINDS: readonly ValueKind[] = ['string', 'number', 'boolean', 'object', 'array', 'image', 'video', 'audio', 'file'];

/** Kinds that an item without a schema can have: those that its value alone shows. */
export const FREE_ITEM_KINDS: readonly ValueKind[] = ['string', 'number', 'boolean', 'object', 'array'];

/** Converts a value to another kind, as far as its content allows. */
export function convertValue(value: unknown, kind: ValueKind): unknown {
	const empty = emptyValue({ ...ANY_VALUE, kind });
	if (kindOfValue(value) === kind) return value;
	if (kind === 'string') return typeof value === 'number' || typeof value === 'boolean' ? String(value) : isObject(value) || Array.isArray(value) ? JSON.stringify(value) : empty;
	if (kind === 'number') return typeof value === 'string' && value.trim() !== '' && Number.isFinite(Number(value)) ? Number(value) : empty;
	if (kind === 'boolean') return value === 'true' || value === 1;
	if (kind === 'array') return value === '' || value === null || value === undefined ? empty : [value];
	return empty;
}

/** Says why a value does not fit its schema; empty if it does. Expressions are not checked. */
export function checkValue(value: unknown, schema: ValueSchema): string {
	if (value === undefined || value instanceof EmbeddedExpression) return '';
	if (schema.options.length > 0 && !schema.options.some((option) => JSON.stringify(option) === JSON.stringify(value))) return 'must be one of the choices';
	switch (schema.kind) {
		case 'number':
		case 'integer':
			return checkNumber(value, schema);
		case 'boolean':
			return typeof value === 'boolean' ? '' : 'must be true or false';
		case 'string':
			return typeof value === 'string' ? checkText(value, schema) : isArtifact(value) ? '' : 'must be a text';
		case 'object':
			return isObject(value) ? '' : 'must be an object: { … }';
		case 'array':
			return Array.isArray(value) ? checkLength(value.length, schema) : 'must be a list: [ … ]';
		default:
			return '';
	}
}

/** A file of the server is a link where text is wanted. */
function isArtifact(value: unknown): boolean {
	return isObject(value) && typeof value.artifact === 'string';
}

function checkNumber(value: unknown, { kind, minimum, maximum }: ValueSchema): string {
	if (typeof value !== 'number') return 'must be a number';
	if (kind === 'integer' && !Number.isInteger(value)) return 'must be a whole number';
	if (minimum !== null && value < minimum) return `must be at least ${minimum}`;
	if (maximum !== null && value > maximum) return `must be at most ${maximum}`;
	return '';
}

function checkLength(length: number, { minItems, maxItems }: ValueSchema): string {
	if (minItems !== null && length < minItems) return `must have at least ${minItems} items`;
	return maxItems !== null && length > maxItems ? `must have at most ${maxItems} items` : '';
}

function checkText(value: string, { minLength, maxLength, pattern }: ValueSchema): string {
	const { length } = [...value];
	if (minLength !== null && length < minLength) return `must have at least ${minLength} characters`;
	if (maxLength !== null && length > maxLength) return `must have at most ${maxLength} characters`;
	return pattern === '' || matches(value, pattern) ? '' : `must match ${pattern}`;
}

/** A pattern that this browser can't read is left to the server. */
function matches(value: string, pattern: string): boolean {
	try {
		return new RegExp(pattern, 'u').test(value);
	} catch {
		return true;
	}
}

/** Finds the first fault of a value and of what is inside it; empty if there is none. */
export function findFault(value: unknown, schema: ValueSchema, path = ''): string {
	const fault = checkValue(value, schema);
	if (fault) return path ? `${path}: ${fault}` : fault;
	if (Array.isArray(value) && schema.items) {
		const items = schema.items;
		return first(value.map((item, index) => () => findFault(item, items, `${path}[${index}]`)));
	}
	if (!isObject(value)) return '';
	const missing = schema.required.find((name) => own(value, name) === undefined && schema.properties.some(([key, inner]) => key === name && inner.fallback === undefined));
	if (missing !== undefined) return `${join(path, missing)}: a value is required`;
	return first(listRows(schema, value).map((row) => () => findFault(row.value, row.schema, join(path, row.name))));
}

function join(path: string, name: string): string {
	return path ? `${path}.${name}` : name;
}

function first(checks: readonly (() => string)[]): string {
	for (const check of checks) {
		const found = check();
		if (found) return found;
	}
	return '';
}

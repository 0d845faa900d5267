import { isObject } from '#lib/workflow/modules.ts';

/** A JSON Schema, as far as completion and hover texts use it. */
export interface Schema {
	$ref?: string;
	$defs?: Record<string, Schema>;
	title?: string;
	description?: string;
	type?: string | string[];
	/** Of strings and objects: what the editor knows about their content, such as `node-path`. */
	format?: string;
	properties?: Record<string, Schema>;
	required?: string[];
	additionalProperties?: boolean | Schema;
	items?: Schema;
	oneOf?: Schema[];
	enum?: unknown[];
	const?: unknown;
	default?: unknown;
	examples?: unknown[];
	minimum?: number;
	maximum?: number;
	pattern?: string;
}

/** A path into a document: keys and indices. */
export type Path = readonly (string | number)[];

/**
 * The schemas of a place in a document, without references. Alternatives that the document excludes, such as other
 * values of `type`, are left out. Empty if the schema says nothing about the place.
 */
export function schemasAt(root: Schema, path: Path, document: unknown): Schema[] {
	let found = alternatives(root, root, document);
	let value = document;
	for (const segment of path) {
		value = childOf(value, segment);
		found = found.flatMap((schema) => childSchemas(schema, segment)).flatMap((schema) => alternatives(root, schema, value));
	}
	return found;
}

/** The value at a path; `undefined` if there is none. */
export function valueAtPath(document: unknown, path: Path): unknown {
	return path.reduce<unknown>(childOf, document);
}

function childOf(value: unknown, segment: string | number): unknown {
	if (typeof value !== 'object' || value === null || !Object.hasOwn(value, segment)) return undefined;
	return (value as Record<string | number, unknown>)[segment];
}

function childSchemas(schema: Schema, segment: string | number): Schema[] {
	if (typeof segment === 'number') return schema.items ? [schema.items] : [];
	if (schema.properties && Object.hasOwn(schema.properties, segment)) return [schema.properties[segment]!];
	return typeof schema.additionalProperties === 'object' ? [schema.additionalProperties] : [];
}

/** Follows references, and lists the alternatives that fit a value. */
function alternatives(root: Schema, schema: Schema, value: unknown): Schema[] {
	if (schema.$ref) {
		const target = root.$defs?.[schema.$ref.replace('#/$defs/', '')];
		if (!target) return [];
		const { $ref: _ref, ...own } = schema;
		return alternatives(root, { ...target, ...own }, value);
	}
	if (!schema.oneOf) return [schema];
	const all = schema.oneOf.flatMap((alternative) => alternatives(root, alternative, value));
	const fitting = all.filter((alternative) => fits(alternative, value));
	return fitting.length > 0 ? fitting : all;
}

/** Whether a value may be meant by an alternative: of its JSON type, and with its constants. */
function fits({ type, properties }: Schema, value: unknown): boolean {
	if (value === undefined || value === null) return true;
	const isAllowed = type === undefined || [type].flat().some((name) => isOfType(value, name));
	if (!isAllowed || !isObject(value)) return isAllowed;
	return Object.entries(properties ?? {}).every(([key, { const: constant }]) => constant === undefined || value[key] === undefined || value[key] === '' || value[key] === constant);
}

function isOfType(value: unknown, type: string): boolean {
	if (type === 'array') return Array.isArray(value);
	if (type === 'object') return isObject(value);
	if (type === 'integer') return typeof value === 'number';
	return typeof value === type;
}

/** The properties that schemas of a place declare, by name. Of several constants, each is an alternative; else the first schema counts. */
export function propertiesOf(schemas: readonly Schema[]): Map<string, { schema: Schema; required: boolean }> {
	const found = new Map<string, { schema: Schema; required: boolean }>();
	for (const { properties, required } of schemas) {
		for (const [name, schema] of Object.entries(properties ?? {})) {
			const known = found.get(name);
			if (!known) found.set(name, { schema, required: required?.includes(name) ?? false });
			else if (schema.const !== undefined) known.schema = { oneOf: [...(known.schema.oneOf ?? [known.schema]), schema] };
		}
	}
	return found;
}

/** The values that schemas of a place list: constants, enumerations, and booleans. */
export function literalsOf(schemas: readonly Schema[]): { value: unknown; about: string }[] {
	const found = schemas.flatMap(({ const: constant, enum: options, type, description = '' }) => {
		if (constant !== undefined) return [{ value: constant, about: description }];
		if (options) return options.map((value) => ({ value, about: '' }));
		return type === 'boolean' ? [true, false].map((value) => ({ value, about: '' })) : [];
	});
	return found.filter(({ value }, index) => found.findIndex((other) => other.value === value) === index);
}

/** The type of a place in words: `string`, `"a" or "b"`, `list of objects`. */
export function describeType(root: Schema, schema: Schema): string {
	const [resolved = schema, ...others] = alternatives(root, schema, undefined);
	if (others.length > 0) return [...new Set([resolved, ...others].map((alternative) => describeType(root, alternative)))].join(' or ');
	const { const: constant, enum: options, type, items, title, properties } = resolved;
	if (constant !== undefined) return JSON.stringify(constant);
	if (options) return options.map((option) => JSON.stringify(option)).join(', ');
	if (title) return title;
	if (type === 'array') return items ? `list of ${describeType(root, items)}` : 'list';
	return [type ?? (properties ? 'object' : 'any value')].flat().join(' or ');
}

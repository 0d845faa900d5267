import type { Catalog } from '#lib/core.ts';
import { valueAt } from '#lib/pointer.ts';
import { ANY_VALUE, readDeclaredInput, readSchema, type ValueSchema } from '#lib/values/value-schema.ts';
import { readCodeInputs } from './code-inputs.ts';
import { isObject, nodeIdOf, subflowIdOf, type Module } from './modules.ts';

/** An input of a step: of its node, or of its sub-flow. */
export interface InputSpec {
	name: string;
	type: string;
	required: boolean;
	description: string;
	/** What is known about its value. */
	schema: ValueSchema;
	/** Whether the document gives it although nothing declares it. */
	undeclared: boolean;
}

/** Inputs of a step: those that are declared, then others that the document gives. */
export function listInputs(module: Module, catalog: Catalog): InputSpec[] {
	const declared = declaredInputs(module, catalog);
	const transforms = module.value?.input_transforms;
	const others = isObject(transforms) ? Object.keys(transforms).filter((name) => !declared.some((input) => input.name === name)) : [];
	return [...declared, ...others.map((name) => ({ ...BARE_INPUT, name, undeclared: declared.length > 0 }))];
}

const BARE_INPUT: Omit<InputSpec, 'name'> = {
	type: '',
	required: false,
	description: '',
	schema: ANY_VALUE,
	undeclared: false
};

function declaredInputs(module: Module, catalog: Catalog): InputSpec[] {
	const node = catalog.nodes[nodeIdOf(module) ?? ''];
	if (node) {
		return node.input.map((input) => ({
			...BARE_INPUT,
			name: input.name,
			type: input.type,
			required: (input.required ?? false) && input.value === undefined && input.default === undefined,
			description: input.description ?? '',
			schema: readDeclaredInput(input)
		}));
	}
	if (module.value?.type === 'rawscript') {
		return readCodeInputs(String(module.value.content ?? '')).map(({ name, kind, required, fallback }) => {
			const schema = { ...ANY_VALUE, kind, fallback, items: kind === 'array' ? ANY_VALUE : null, others: kind === 'object' ? ANY_VALUE : null };
			return { ...BARE_INPUT, name, type: kind, required, schema };
		});
	}
	const flow = catalog.workflows[subflowIdOf(module) ?? ''];
	return flow === undefined ? [] : inputsOfSchema(valueAt(flow, '/schema'));
}

/** Inputs of a workflow, from its JSON Schema. */
export function inputsOfSchema(schema: unknown): InputSpec[] {
	const properties = isObject(schema) && isObject(schema.properties) ? schema.properties : {};
	const required = isObject(schema) && Array.isArray(schema.required) ? schema.required : [];
	return Object.entries(properties).map(([name, property]) => {
		const value = readSchema(property, name);
		return { ...BARE_INPUT, name, type: value.kind, required: required.includes(name) && value.fallback === undefined, description: value.description, schema: value };
	});
}

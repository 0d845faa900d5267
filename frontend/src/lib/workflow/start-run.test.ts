import { describe, expect, it } from 'vitest';
import { fieldsOfPart, withDefaults } from './start-run.ts';

const schema = { properties: { a: { type: 'string', default: 'x' }, b: { type: 'integer' }, c: { default: null } }, required: ['b'] };

describe('defaults', () => {
	const cases: [object, object][] = [
		[{}, { a: 'x', c: null }],
		[{ a: null, b: 1 }, { a: null, b: 1, c: null }]
	];
	it.each(cases)('%j', (input, expected) => expect(withDefaults(schema, input as Record<string, unknown>)).toEqual(expected));
	it('are none without a schema', () => expect(withDefaults(undefined, { z: 1 })).toEqual({ z: 1 }));
});

it('a version has the inputs that it had then', () => {
	const version = { kind: 'version' as const, number: 1, document: { schema: { properties: { old: { type: 'string' } } } } };
	expect(fieldsOfPart(version, { schema }, []).map(({ name }) => name)).toEqual(['old']);
});

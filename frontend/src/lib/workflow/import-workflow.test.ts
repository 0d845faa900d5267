import { expect, it } from 'vitest';
import { readImport } from './import-workflow.ts';

const flow = { summary: 'Flow', schema: {}, value: { modules: [] } };

it('reads an exported workflow and a bare document', () => {
	expect(readImport(JSON.stringify({ name: 'N', description: 'D', nodes: flow }))).toEqual({ workflow: { name: 'N', description: 'D', nodes: flow } });
	expect(readImport(JSON.stringify({ ...flow, path: 'u/me/flow' }))).toEqual({ workflow: { name: 'Flow', description: '', nodes: flow } });
});

it.each([
	['{', /^invalid JSON/],
	['[]', /object/],
	['{"value": {}}', /value.modules/]
])('refuses %s', (text, message) => expect(readImport(text)).toMatchObject({ error: expect.stringMatching(message) as unknown }));

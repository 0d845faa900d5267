import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { completeJson } from '#lib/editor/completion.ts';
import { applyTextChanges } from '#lib/editor/json-edit.ts';
import { explainJson } from '#lib/editor/hover.ts';
import type { Schema } from '#lib/editor/schema.ts';
import { declarationKnowledge } from './declaration-knowledge.ts';

// The schemas that the server returns are made of this file.
const { $defs } = JSON.parse(readFileSync(new URL('../../../../apiflow-core/src/catalog/declarations.json', import.meta.url), 'utf8')) as Schema;
const facts = { secrets: ['FAL_KEY', 'OTHER'], connectors: [{ id: 'pictures', name: 'Pictures' }] };
const knowledgeOf = (kind: 'Connector' | 'Node') => declarationKnowledge({ $ref: `#/$defs/${kind}`, $defs }, () => facts);

async function accept(kind: 'Connector' | 'Node', marked: string, label: string): Promise<string | undefined> {
	const text = marked.replace('‸', '');
	const found = await completeJson(text, marked.indexOf('‸'), knowledgeOf(kind));
	const chosen = found?.options.find((option) => option.label === label);
	return chosen && applyTextChanges(text, chosen.changes);
}

describe('completion of connectors', () => {
	it.each([
		['{‸}', 'base_url', '{"base_url": ""}'],
		['{"method": "‸"}', 'GET', '{"method": "GET"}'],
		['{"header": {"Authorization": "Key $‸"}}', 'FAL_KEY', '{"header": {"Authorization": "Key $FAL_KEY"}}'],
		['{"header": {"Authorization": "Key $FA‸"}}', 'FAL_KEY', '{"header": {"Authorization": "Key $FAL_KEY"}}'],
		['{"data": {"auth": {‸}}}', 'kind', '{"data": {"auth": {"kind": ""}}}'],
		['{"data": {"auth": {"kind": "‸"}}}', 'aws_sigv4', '{"data": {"auth": {"kind": "aws_sigv4"}}}'],
		['{"data": {"auth": {"kind": "basic", ‸}}}', 'user', '{"data": {"auth": {"kind": "basic", "user": ""}}}'],
		['{"data": {"auth": {"kind": "basic", ‸}}}', 'region', undefined],
		['{"name": "$‸"}', 'FAL_KEY', undefined],
		['{"header": {"a": "$$‸"}}', 'FAL_KEY', undefined]
	])('%s, %s', async (marked, label, expected) => expect(await accept('Connector', marked, label)).toBe(expected));
});

describe('completion of nodes', () => {
	it.each([
		['{"connector_id": "‸"}', 'pictures', '{"connector_id": "pictures"}'],
		['{"input": [{‸}]}', 'type', '{"input": [{"type": ""}]}'],
		['{"input": [{"type": "‸"}]}', 'image', '{"input": [{"type": "image"}]}'],
		['{"data": {"operation": "‸"}}', 'replicate', '{"data": {"operation": "replicate"}}'],
		['{"input": [{"name": "prompt"}], "data": {"body": {"text": "{{ ‸"}}}', 'input.prompt', '{"input": [{"name": "prompt"}], "data": {"body": {"text": "{{ input.prompt"}}}'],
		['{"input": [‸]}', '{ }', '{"input": [\n  {\n    "name": "",\n    "type": ""\n  }\n]}']
	])('%s, %s', async (marked, label, expected) => expect(await accept('Node', marked, label)).toBe(expected));

	it('explains fields and the connector', () => {
		const text = '{"connector_id": "pictures", "data": {"timeout_s": 1}}';
		expect(explainJson(text, text.indexOf('pictures'), knowledgeOf('Node'))?.text).toBe('**Pictures**');
		expect(explainJson(text, text.indexOf('timeout_s'), knowledgeOf('Node'))?.text).toContain('Deadline of a call');
	});
});

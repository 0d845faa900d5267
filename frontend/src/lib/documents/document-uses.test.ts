import { expect, it } from 'vitest';
import type { Node, Workflow } from '#lib/api/types.ts';
import { findConnectorUses, findNodeUses, findWorkflowUses } from './document-uses.ts';

const workflow = (name: string, ...values: object[]) => ({ name, nodes: { value: { modules: values.map((value, index) => ({ id: `s${index}`, value })) } } }) as unknown as Workflow;
const call = (node: string) => ({ type: 'script', path: `node/${node}` });
const workflows = [workflow('A', call('flux'), call('flux'), { type: 'forloopflow', modules: [{ id: 'in', value: call('upscale') }] }), workflow('B', call('flux'), { type: 'flow', path: 'a' })];

it('finds what uses a document, each user once, also in loops', () => {
	expect([findConnectorUses([{ name: 'Flux', connector_id: 'fal' } as Node]), findNodeUses(workflows)].map((uses) => Object.fromEntries(uses))).toEqual([
		{ fal: ['Flux'] },
		{ flux: ['A', 'B'], upscale: ['A'] }
	]);
	expect([...findWorkflowUses(workflows).values()]).toEqual([['B']]);
});

import { describe, expect, it } from 'vitest';
import type { Documents } from '#lib/api/documents.ts';
import type { Workflow } from '#lib/api/types.ts';
import { Draft } from '#lib/forms/draft.svelte.ts';
import type { TextEdit } from '#lib/editor/json-edit.ts';
import { WORKFLOW } from '#lib/documents/kinds.ts';
import { valueAt } from '#lib/pointer.ts';
import { EmbeddedExpression } from '#lib/values/embedded-expression.ts';
import { InputValue } from './input-value.svelte.ts';
import { changeInput, moveInput, removeInput } from './schema-builder.ts';
import { readRetry, writeRetry } from './settings.ts';
import { WorkflowEditing } from './workflow-editing.svelte.ts';

/** Odd on purpose: what an action does not concern must stay as it is. */
const TEXT = `{
\t"name" : "w",
\t"nodes": { "schema": {"properties":{ "photo":{"type":"string"}, "size": {"type": "integer"} },"required":["photo"]},
\t\t"value": {
\t\t\t"modules": [
\t\t\t\t{ "id":"a", "retry":{"constant":{"attempts":1,"seconds":5},  "retry_if":{"expr":"true"}},
\t\t\t\t  "value": {"type":"script","path":"node/n","input_transforms":{ "x": {"type":"static","value":[1, 2,3]}, "y":{"type": "javascript","expr":"flow_input.photo" }}}},
\t\t\t\t{"id": "b", "value":{"type":"branchall","branches":[ {"summary":"one","modules":[ ]},{"summary":"two",   "modules":[]} ]}}
\t\t\t]
\t\t}
\t}
}
`;
const A = '/value/modules/0';
const X = `${A}/value/input_transforms/x`;
const Y = `${A}/value/input_transforms/y`;

/** A workflow with a text, and the undo history of the text editor. */
function open() {
	const draft = new Draft<Workflow>(WORKFLOW, {} as Documents<Workflow>, null);
	draft.text = TEXT;
	const history: string[] = [];
	const messages: string[] = [];
	const text = {
		apply(edit: TextEdit) {
			if (edit.length === 0) return;
			history.push(draft.text);
			draft.text = edit.reduce((now, group) => group.toSorted((one, other) => other.from - one.from).reduce((part, { from, to, insert }) => part.slice(0, from) + insert + part.slice(to), now), draft.text);
		},
		undo: () => void (draft.text = history.pop() ?? draft.text),
		redo: () => undefined,
		show: () => undefined
	};
	const editing = new WorkflowEditing(draft, '/nodes', () => text, (message) => messages.push(message));
	const schema = () => valueAt(editing.document, '/schema') as Record<string, unknown>;
	const input = (pointer: string) => new InputValue(editing, () => pointer, () => valueAt(editing.document, pointer));
	return { draft, history, messages, editing, schema, input };
}

type World = ReturnType<typeof open>;

describe('an action of the panel changes its place in one undo step', () => {
	it.each<[string, (world: World) => void, [string, string][]]>([
		['set an item of a list', ({ input }) => input(X).setValue([1, 5, 3]), [['[1, 2,3]', '[1, 5,3]']]],
		['reorder a list', ({ input }) => input(X).setValue([2, 1, 3]), [['[1, 2,3]', '[2, 1,3]']]],
		['remove an item', ({ input }) => input(X).setValue([1, 3]), [['[1, 2,3]', '[1,3]']]],
		['embed an expression', ({ input }) => input(X).setValue([1, new EmbeddedExpression('flow_input.size')]), [['{"type":"static","value":[1, 2,3]}', '{"type":"javascript","expr":"[1, flow_input.size]"}']]],
		['connect', ({ input }) => input(X).connect('results.b'), [['{"type":"static","value":[1, 2,3]}', '{"type":"javascript","expr":"results.b"}']]],
		['clear an input', ({ input }) => input(X).clear(), [['"x": {"type":"static","value":[1, 2,3]}, ', '']]],
		['type an expression', ({ input }) => input(Y).setExpression('flow_input.photo + 1'), [['"flow_input.photo"', '"flow_input.photo + 1"']]],
		['change a retry', ({ editing }) => editing.set([`${A}/retry`, writeRetry({ constant: { attempts: 1, seconds: 5 }, retry_if: { expr: 'true' } }, { ...readRetry({}), constant: { attempts: 4, seconds: 5 } })]), [['"attempts":1', '"attempts":4']]],
		['swap branches', ({ editing }) => editing.swap('/value/modules/1/value/branches/0', '/value/modules/1/value/branches/1'), [['{"summary":"one","modules":[ ]},{"summary":"two",   "modules":[]}', '{"summary":"two",   "modules":[]},{"summary":"one","modules":[ ]}']]],
		['change an input of the workflow', ({ editing, schema }) => editing.set(['/schema', changeInput(schema(), 'size', { limits: { maximum: 9 } })]), [['{"type": "integer"}', '{"type": "integer", "maximum": 9}']]],
		['move an input', ({ editing, schema }) => editing.set(['/schema', moveInput(schema(), 'size', 0)]), [['"photo":{"type":"string"}, "size": {"type": "integer"}', '"size": {"type": "integer"}, "photo":{"type":"string"}']]],
		['rename an input', ({ editing, schema }) => editing.renameInput('photo', 'picture', changeInput(schema(), 'photo', { name: 'picture' })), [['"photo":{', '"picture":{'], ['["photo"]', '["picture"]'], ['flow_input.photo', 'flow_input.picture']]],
		['delete an input', ({ editing, schema }) => editing.deleteInput('size', removeInput(schema(), 'size')), [[', "size": {"type": "integer"}', '']]],
		['name the workflow', ({ editing }) => editing.setField('name', 'v'), [['"w"', '"v"']]]
	])('%s', (_, act, replacements) => {
		const world = open();
		act(world);
		const expected = replacements.reduce((text, [from, to]) => text.replace(from, to), TEXT);
		expect(world.draft.text).toBe(expected);
		expect(world.history).toHaveLength(1);
		world.editing.undo();
		expect(world.draft.text).toBe(TEXT);
	});
});

describe('an input in the panel', () => {
	it('keeps its value and its expression', () => {
		const { input, draft } = open();
		const x = input(X);
		x.switchTo('javascript');
		expect([x.mode, x.expression]).toEqual(['javascript', '[1, 2, 3]']);
		x.setExpression('results.b');
		x.switchTo('static');
		expect(x.value).toEqual([1, 2, 3]);
		expect(draft.text).toContain('"x": {"type":"static","value":[1,2,3]}');
		x.switchTo('javascript');
		expect(x.expression).toBe('results.b');
	});
	it('shows rows while an entry is half typed', () => {
		const { input } = open();
		const x = input(X);
		x.setValue({ a: 1, b: new EmbeddedExpression('results.') });
		expect([x.mode, x.value]).toEqual(['static', { a: 1, b: new EmbeddedExpression('results.') }]);
		x.switchTo('javascript');
		expect([x.mode, x.expression]).toEqual(['javascript', '({ a: 1, b: results. })']);
	});
	it('is fixed again when its last expression is replaced', () => {
		const { input, editing } = open();
		const x = input(X);
		x.setValue([new EmbeddedExpression('results.b')]);
		x.setValue([5]);
		expect(valueAt(editing.document, X)).toEqual({ type: 'static', value: [5] });
	});
	it('shows an empty list as an expression', () => {
		const { input } = open();
		const y = input(Y);
		y.setExpression('[]');
		expect(y.mode).toBe('javascript');
	});
});

it('deleting an input names its users', () => {
	const { editing, schema, messages } = open();
	editing.deleteInput('photo', removeInput(schema(), 'photo'));
	expect(messages).toEqual(['Deleted input photo. Still used by a.']);
});

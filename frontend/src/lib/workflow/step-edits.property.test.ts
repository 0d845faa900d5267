import { history, redo, undo } from '@codemirror/commands';
import { EditorState } from '@codemirror/state';
import { expect, it } from 'vitest';
import { valueAt } from '#lib/pointer.ts';
import { allModules, type Module } from './modules.ts';
import { addNote, readNotes, removeNote } from './notes.ts';
import { listPlaces } from './places.ts';
import { CONTROL_STEPS } from './step-templates.ts';
import { StepEditor } from './step-edits.ts';
import { JsonEdit, type TextEdit } from '#lib/editor/json-edit.ts';

/** A text with uneven formatting, which edits must leave alone. */
const TEXT = `{ "name": "n",
   "nodes": {"summary": "s", "value": {
	"modules": [ {"id":"a", "value": {"type":"identity"}},
       {"id": "each", "value": {"type": "forloopflow", "iterator": {"type":"javascript","expr":"results.a"}, "modules": [{ "id": "in", "value": {"type": "identity"} }]}},

       {"id":"b", "skip_if": {"expr": "results.a > 1"}, "value": {"type":"identity"}} ],
   "failure_module": {"id":"failure","value":{"type":"identity"}} } } }
`;

/** Pseudo-random numbers below a limit: the same for the same seed. */
function randomNumbers(seed: number): (limit: number) => number {
	let state = seed;
	return (limit) => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return Math.floor((state / 2 ** 32) * limit);
	};
}

/** An edit of a text that is chosen at random; null if the chosen one does nothing. */
function chooseEdit(text: string, random: (limit: number) => number): TextEdit | null {
	const document = valueAt(JSON.parse(text), '/nodes');
	const editor = new StepEditor(text, '/nodes');
	const pick = <T>(list: readonly T[]): T => list[random(list.length)]!;
	const places = listPlaces(document);
	const pointers = allModules(document).map(({ pointer }) => pointer);
	const chosen = pointers.filter(() => random(4) === 0);
	switch (random(8)) {
		case 0:
			return editor.insert(pick(places), [pick(CONTROL_STEPS).create()]).edit.changes;
		case 1:
			return editor.remove(chosen).edit.changes;
		case 2:
			return editor.duplicate(chosen).edit.changes;
		case 3:
			return editor.move(chosen, pick(places))?.edit.changes ?? null;
		case 4:
			return pointers.length > 0 ? editor.rename(pick(pointers), `renamed_${random(1e9)}`).edit.changes : null;
		case 5:
			return editor.setDisabled(chosen, random(2) === 0).edit.changes;
		case 6:
			return editor.insert(pick(places), editor.copy(chosen)).edit.changes;
		default: {
			const [note] = readNotes(document);
			const edit = new JsonEdit(text);
			for (const [pointer, value] of note && random(2) === 0 ? removeNote(document, note) : addNote(document, random(500), 0, []).changes) {
				if (value === undefined) edit.remove(`/nodes${pointer}`);
				else edit.set(`/nodes${pointer}`, value);
			}
			return edit.changes;
		}
	}
}

const idsOf = (text: string) => allModules(valueAt(JSON.parse(text), '/nodes')).map(({ module }: { module: Module }) => module.id);

it.each(Array.from({ length: 20 }, (_, seed) => seed + 1))('random edits can be undone and repeated (seed %i)', (seed) => {
	const random = randomNumbers(seed);
	let state = EditorState.create({ doc: TEXT, extensions: [history({ newGroupDelay: 10_000 })] });
	const dispatch = (transaction: { state: EditorState }) => (state = transaction.state);
	const texts = [TEXT];
	for (let count = 0; count < 25; count++) {
		const text = state.doc.toString();
		const edit = chooseEdit(text, random);
		if (!edit || edit.length === 0) continue;
		// As the text editor applies it.
		dispatch(state.update(...edit.map((changes, index) => ({ changes: [...changes], sequential: index > 0, userEvent: 'input' }))));
		const after = state.doc.toString();
		expect(new Set(idsOf(after)).size, `ids after ${text}`).toBe(idsOf(after).length);
		if (after !== text) texts.push(after);
	}
	expect(texts.length).toBeGreaterThan(5);
	for (const text of texts.slice(0, -1).reverse()) {
		undo({ state, dispatch });
		expect(state.doc.toString()).toBe(text);
	}
	for (const text of texts.slice(1)) {
		redo({ state, dispatch });
		expect(state.doc.toString()).toBe(text);
	}
});

import { describe, expect, it } from 'vitest';
import { JsonEdit } from '#lib/editor/json-edit.ts';
import { addNote, changeNote, nextColor, readNotes, removeNote, type ValueChanges } from './notes.ts';

const free = { id: 'n', text: 'Check prices', color: 'blue', type: 'free', position: { x: 10, y: 20 }, size: { width: 300, height: 200 }, locked: true };
const group = { id: 'g', text: 'Group', color: 'red', type: 'group', contained_node_ids: ['a'] };
const document = { value: { modules: [], notes: [group, free] } };

function apply(before: unknown, changes: ValueChanges): string {
	const edit = new JsonEdit(JSON.stringify(before, null, 2));
	for (const [pointer, value] of changes) {
		if (value === undefined) edit.remove(pointer);
		else edit.set(pointer, value);
	}
	return edit.text;
}

describe('readNotes', () => {
	it('reads free notes', () => {
		expect(readNotes(document)).toEqual([{ pointer: '/value/notes/1', id: 'n', text: 'Check prices', color: 'blue', x: 10, y: 20, width: 300, height: 200 }]);
	});
	it.each([[{}], [{ value: { notes: {} } }], [{ value: { notes: [null, 1, { text: 'no place' }] } }]])('finds none in %j', (broken) => expect(readNotes(broken)).toEqual([]));
	it('fills in what is missing', () => {
		expect(readNotes({ value: { notes: [{ position: {}, color: 'cyan', size: { width: 2 } }] } })).toEqual([{ pointer: '/value/notes/0', id: '/value/notes/0', text: '', color: 'yellow', x: 0, y: 0, width: 140, height: 120 }]);
	});
});

it('addNote adds a note to the list, or the list', () => {
	const first = apply({ value: { modules: [] } }, addNote({ value: {} }, 110, 60, []).changes);
	expect(readNotes(JSON.parse(first))).toMatchObject([{ id: 'note_1', x: 0, y: 0, width: 220, height: 120 }]);
	expect(addNote({ value: { notes: [{ id: 'note_2' }] } }, 0, 0, []).id).toBe('note_3');
	expect(readNotes(JSON.parse(apply(document, addNote(document, 0, 0, []).changes)))).toHaveLength(2);
});

it('addNote goes right until it covers nothing', () => {
	const card = (x: number) => ({ x, y: 0, width: 220, height: 64 });
	expect(addNote({}, 110, 60, [card(0), card(240), card(900)]).area).toEqual({ x: 492, y: 0, width: 220, height: 120 });
});

it('changeNote changes no other field', () => {
	const [note] = readNotes(document);
	const text = JSON.stringify(document, null, 2);
	expect(apply(document, changeNote(note!, { text: 'New', x: 10 }))).toBe(text.replace('Check prices', 'New'));
	expect(changeNote(note!, { x: 11.6, width: 300 })).toEqual([['/value/notes/1/position', { x: 12, y: 20 }]]);
});

it('removeNote removes the list with the last note', () => {
	const [note] = readNotes(document);
	expect(JSON.parse(apply(document, removeNote(document, note!)))).toEqual({ value: { modules: [], notes: [group] } });
	const last = { value: { notes: [free] } };
	expect(JSON.parse(apply(last, removeNote(last, readNotes(last)[0]!)))).toEqual({ value: {} });
});

it('nextColor goes round', () => expect(['yellow', 'gray'].map((color) => nextColor(color as 'gray'))).toEqual(['blue', 'yellow']));

import type { Note } from '#lib/workflow/notes.ts';
import type { FlowNode, NoteNode } from './flow.ts';

/** Prefix of the graph ids of notes, which may have the ids of steps. */
const NOTE_PREFIX = '@note/';

/** Converts notes to nodes of the graph library. They lie behind the cards, and can't be selected with them. */
export function toNoteNodes(notes: readonly Note[], before: readonly (FlowNode | NoteNode)[], draggable: boolean): NoteNode[] {
	const old = new Map(before.map((node) => [node.id, node]));
	return notes.map((note): NoteNode => {
		const id = NOTE_PREFIX + note.id;
		const { x, y, width, height } = note;
		const known = old.get(id);
		const fresh = { id, type: 'note' as const, position: { x, y }, width, height, draggable, selectable: false, focusable: false, zIndex: -1, data: { note } } satisfies NoteNode;
		if (known?.type !== 'note') return fresh;
		return isSameNote(known, fresh) ? known : { ...known, ...fresh };
	});
}

/** Whether a graph node shows a note as it is. */
function isSameNote(old: NoteNode, fresh: NoteNode): boolean {
	const { position, width, height, draggable, data } = old;
	const isPlaced = position.x === fresh.position.x && position.y === fresh.position.y && width === fresh.width && height === fresh.height;
	return isPlaced && draggable === fresh.draggable && JSON.stringify(data) === JSON.stringify(fresh.data);
}

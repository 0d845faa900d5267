import { valueAt } from '#lib/pointer.ts';
import { isObject } from './modules.ts';

/** Colours of notes, in the order in which a user changes them. */
export const NOTE_COLORS = ['yellow', 'blue', 'green', 'pink', 'gray'] as const;
/** Colour of a note. */
export type NoteColor = (typeof NOTE_COLORS)[number];

/** A note on the graph. It is kept in `value.notes` of the OpenFlow document, which engines ignore. */
export interface Note {
	/** JSON Pointer in the OpenFlow document. */
	pointer: string;
	id: string;
	text: string;
	color: NoteColor;
	/** Place on the graph, in pixels of the layout. */
	x: number;
	y: number;
	width: number;
	height: number;
}

/** What changes in a note. */
export type NoteChange = Partial<Omit<Note, 'pointer' | 'id'>>;
/** Values to set at pointers of the OpenFlow document. `undefined` removes. */
export type ValueChanges = [pointer: string, value: unknown][];

const DEFAULT_SIZE = { width: 220, height: 120 };
/** Smallest size of a note, in pixels. */
export const MIN_NOTE_SIZE = { width: 140, height: 80 };

const NOTES = '/value/notes';

/** The free notes of a document. Notes that belong to a group of steps have no place of their own, and are left out. */
export function readNotes(document: unknown): Note[] {
	const notes = valueAt(document, NOTES);
	if (!Array.isArray(notes)) return [];
	return notes.flatMap((note, index) => {
		if (!isObject(note) || note.type === 'group' || !isObject(note.position)) return [];
		const size = isObject(note.size) ? note.size : DEFAULT_SIZE;
		const pointer = `${NOTES}/${index}`;
		return {
			pointer,
			id: typeof note.id === 'string' && note.id !== '' ? note.id : pointer,
			text: typeof note.text === 'string' ? note.text : '',
			color: NOTE_COLORS.find((color) => color === note.color) ?? 'yellow',
			x: Number(note.position.x) || 0,
			y: Number(note.position.y) || 0,
			width: Math.max(Number(size.width) || DEFAULT_SIZE.width, MIN_NOTE_SIZE.width),
			height: Math.max(Number(size.height) || DEFAULT_SIZE.height, MIN_NOTE_SIZE.height)
		};
	});
}

/** A rectangle in pixels of the layout. */
type Area = Pick<Note, 'x' | 'y' | 'width' | 'height'>;

/** Distance between a new note and what is beside it, in pixels. */
const GAP = 32;

/** The place for a new note: around a point, or right of what is there already. */
function findFreeArea(x: number, y: number, taken: readonly Area[]): Area {
	const area = { x: Math.round(x - DEFAULT_SIZE.width / 2), y: Math.round(y - DEFAULT_SIZE.height / 2), ...DEFAULT_SIZE };
	const overlaps = (other: Area) => other.x < area.x + area.width && area.x < other.x + other.width && other.y < area.y + area.height && area.y < other.y + other.height;
	for (let obstacle = taken.find(overlaps); obstacle; obstacle = taken.find(overlaps)) area.x = obstacle.x + obstacle.width + GAP;
	return area;
}

/** Adds an empty note near a point, but not over the areas of cards and other notes. */
export function addNote(document: unknown, x: number, y: number, taken: readonly Area[]): { id: string; area: Area; changes: ValueChanges } {
	const notes = valueAt(document, NOTES);
	const list: unknown[] = Array.isArray(notes) ? notes : [];
	const ids = new Set(list.map((note) => (isObject(note) ? note.id : undefined)));
	let number = list.length + 1;
	while (ids.has(`note_${number}`)) number++;
	const id = `note_${number}`;
	const area = findFreeArea(x, y, taken);
	const note = { id, text: '', color: NOTE_COLORS[0], type: 'free', position: { x: area.x, y: area.y }, size: { ...DEFAULT_SIZE }, locked: false };
	return { id, area, changes: [list.length > 0 ? [`${NOTES}/${list.length}`, note] : [NOTES, [note]]] };
}

/** Changes a note. Only the fields that differ are written. */
export function changeNote({ pointer, ...before }: Note, change: NoteChange): ValueChanges {
	const after = { ...before, ...change };
	const changes: ValueChanges = [];
	if (after.text !== before.text) changes.push([`${pointer}/text`, after.text]);
	if (after.color !== before.color) changes.push([`${pointer}/color`, after.color]);
	if (after.x !== before.x || after.y !== before.y) changes.push([`${pointer}/position`, { x: Math.round(after.x), y: Math.round(after.y) }]);
	if (after.width !== before.width || after.height !== before.height) changes.push([`${pointer}/size`, { width: Math.round(after.width), height: Math.round(after.height) }]);
	return changes;
}

/** Removes a note; with the last one, also the list. */
export function removeNote(document: unknown, { pointer }: Note): ValueChanges {
	const notes = valueAt(document, NOTES);
	return [[Array.isArray(notes) && notes.length === 1 ? NOTES : pointer, undefined]];
}

/** The colour after a colour. */
export function nextColor(color: NoteColor): NoteColor {
	return NOTE_COLORS[(NOTE_COLORS.indexOf(color) + 1) % NOTE_COLORS.length] ?? 'yellow';
}

import { history, redo, undo } from '@codemirror/commands';
import { EditorState } from '@codemirror/state';
import { findNodeAtLocation, parseTree } from 'jsonc-parser';
import { describe, expect, it } from 'vitest';
import { JsonEdit, type TextEdit } from '#lib/editor/json-edit.ts';
import { updateValue } from '#lib/editor/json-update.ts';
import { isWithin, parsePointer, valueAt } from '#lib/pointer.ts';
import { allModules, type Module } from './modules.ts';
import { addNote, readNotes, removeNote } from './notes.ts';
import { listPlaces } from './places.ts';
import { addInput, changeInput, listInputFields, moveInput, removeInput } from './schema-builder.ts';
import { NEW_SETTINGS } from './settings.ts';
import { StepEditor } from './step-edits.ts';
import { CONTROL_STEPS } from './step-templates.ts';

/** Random numbers that a seed reproduces. Source: mulberry32. */
class Random {
	#state: number;

	constructor(seed: number) {
		this.#state = seed;
	}

	next(): number {
		this.#state = (this.#state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
		mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	}

	/** A whole number from 0, less than `limit`. */
	below(limit: number): number {
		return Math.floor(this.next() * limit);
	}

	pick<T>(list: readonly T[]): T {
		return list[this.below(list.length)]!;
	}
}

let fresh = 0;

function randomModule(random: Random, depth: number): Module {
	const id = `s${(fresh += 1)}`;
	const expr = `results.s${1 + random.below(fresh)}.image + flow_input.in_${random.below(3)}`;
	const modules = () => Array.from({ length: random.below(3) }, () => randomModule(random, depth + 1));
	const kind = depth > 2 ? 0 : random.below(6);
	const iterator = { type: 'javascript', expr };
	if (kind === 4) return { id, value: { type: 'forloopflow', iterator, modules: modules(), skip_failures: false } };
	if (kind === 5) return { id, value: { type: 'branchone', branches: [{ expr, modules: modules() }, { summary: 'else', expr: 'true', modules: modules() }], default: modules() } };
	return { id, summary: 'Ünïcode "quotes" 🎩', value: { type: 'script', path: 'node/n', input_transforms: { a: { type: 'javascript', expr }, 'b/c~d': { type: 'static', value: [1, { x: null }] } } } };
}

function randomDocument(random: Random): unknown {
	fresh = 0;
	const properties = Object.fromEntries(Array.from({ length: 3 }, (_, index) => [`in_${index}`, { type: 'string' }]));
	return { name: 'w', nodes: { summary: 's', schema: { properties }, value: { modules: Array.from({ length: 1 + random.below(5) }, () => randomModule(random, 0)), failure_module: { id: 'failure', value: { type: 'identity' } } } }, description: '' };
}

/** Writes a value with odd but valid formatting: each container as it happens, in one of several styles. */
function writeOddly(value: unknown, random: Random, style: { indent: string; eol: string; odd: number }, level = 0): string {
	if (typeof value !== 'object' || value === null) return JSON.stringify(value);
	const isList = Array.isArray(value);
	const parts = Object.entries(value).map(([key, inner]) => (isList ? '' : `${JSON.stringify(key)}${random.pick([':', ': ', ' : '])}`) + writeOddly(inner, random, style, level + 1));
	const [open, close] = isList ? ['[', ']'] : ['{', '}'];
	if (parts.length === 0) return random.next() < style.odd ? `${open} ${close}` : open + close;
	if (random.next() < style.odd) return open + random.pick(['', ' ']) + parts.join(random.pick([',', ', ', ' ,  '])) + random.pick(['', ' ']) + close;
	const line = style.eol + style.indent.repeat(level + 1);
	return `${open}${line}${parts.join(`,${line}`)}${style.eol}${style.indent.repeat(level)}${close}`;
}

const STYLES = [
	{ indent: '  ', eol: '\n', odd: 0 },
	{ indent: '\t', eol: '\n', odd: 0.3 },
	{ indent: '    ', eol: '\r\n', odd: 0.3 },
	{ indent: '  ', eol: '\n', odd: 0.7 },
	{ indent: '', eol: '', odd: 1 }
];

const PREFIX = '/nodes';

/** Performs a random edit; `touched` are the places, in the text before it, whose text may change. */
function randomEdit(text: string, random: Random): { name: string; edit: JsonEdit; touched: string[] } | null {
	const document = valueAt(JSON.parse(text), PREFIX);
	const placed = allModules(document);
	const editor = new StepEditor(text, PREFIX);
	const at = random.pick(listPlaces(document));
	const pointers = placed.length > 0 ? [...new Set([random.pick(placed).pointer, random.pick(placed).pointer])] : [];
	const [first = ''] = pointers;
	const inputs = (valueAt(document, '/schema') ?? {}) as Record<string, unknown>;
	const name = random.pick(listInputFields(inputs))?.name ?? '';
	const update = (pointer: string, value: unknown) => {
		const edit = new JsonEdit(text);
		updateValue(edit, PREFIX + pointer, value);
		return edit;
	};
	const schemaEdit = (next: Record<string, unknown>) => ({ name: 'change the inputs', edit: update('/schema', next), touched: [] });
	const setting = random.pick(Object.keys(NEW_SETTINGS) as (keyof typeof NEW_SETTINGS)[]);
	switch (random.below(first === '' ? 1 : 13)) {
		case 0:
			return { name: 'insert', edit: editor.insert(at, [random.next() < 0.5 ? random.pick(CONTROL_STEPS).create() : randomModule(random, 1)]).edit, touched: [] };
		case 1:
			return { name: 'remove', edit: editor.remove(pointers).edit, touched: pointers };
		case 2:
			return { name: 'duplicate', edit: editor.duplicate(pointers).edit, touched: [] };
		case 3: {
			const moved = editor.move(pointers, at);
			return moved && { name: 'move', edit: moved.edit, touched: pointers };
		}
		case 4:
			return { name: 'rename', edit: editor.rename(first, `renamed_${random.below(1000)}`).edit, touched: placed.map(({ pointer }) => pointer) };
		case 5:
			return { name: 'disable', edit: editor.setDisabled(pointers, random.next() < 0.5).edit, touched: pointers };
		case 6:
			return { name: `set ${setting}`, edit: update(`${first}/${setting}`, NEW_SETTINGS[setting]), touched: [first] };
		case 7:
			return { name: `clear ${setting}`, edit: update(`${first}/${setting}`, undefined), touched: [first] };
		case 8:
			return schemaEdit(addInput(inputs)[0]);
		case 9:
			return name === '' ? null : schemaEdit(random.next() < 0.5 ? removeInput(inputs, name) : moveInput(inputs, name, random.below(3)));
		case 10:
			return { name: 'paste', edit: editor.insert(at, editor.copy(pointers)).edit, touched: [] };
		case 11: {
			const [note] = readNotes(document);
			const edit = new JsonEdit(text);
			for (const [pointer, value] of note && random.next() < 0.5 ? removeNote(document, note) : addNote(document, random.below(500), 0, []).changes) {
				if (value === undefined) edit.remove(PREFIX + pointer);
				else edit.set(PREFIX + pointer, value);
			}
			return { name: 'change the notes', edit, touched: [] };
		}
		default:
			return name === '' ? null : schemaEdit(changeInput(inputs, name, random.pick([{ name: `in_${random.below(99)}x` }, { type: 'image' as const }, { required: true }, { description: 'd' }])));
	}
}

function replay(text: string, edit: TextEdit): string {
	return edit.reduce((before, group) => group.toSorted((one, other) => other.from - one.from).reduce((now, { from, to, insert }) => now.slice(0, from) + insert + now.slice(to), before), text);
}

/** The text of each step that contains no touched place, by id. */
function textOfSteps(text: string, touched: readonly string[]): Map<string, string> {
	const root = parseTree(text)!;
	const document = valueAt(JSON.parse(text), PREFIX);
	const found = new Map<string, string>();
	for (const { pointer, module } of allModules(document)) {
		const path = parsePointer(PREFIX + pointer).map((token) => (/^\d+$/.test(token) ? Number(token) : token));
		const node = findNodeAtLocation(root, path);
		if (node && module.id && !touched.some((place) => isWithin(place, pointer) || isWithin(pointer, place))) found.set(module.id, text.slice(node.offset, node.offset + node.length));
	}
	return found;
}

describe.each(STYLES)('random edits of a text with $indent and $eol', (style) => {
	it.each(Array.from({ length: 16 }, (_, seed) => seed))('seed %i', (seed) => {
		const random = new Random(seed * 31 + STYLES.indexOf(style));
		const texts = [writeOddly(randomDocument(random), random, style)];
		const done: TextEdit[] = [];
		for (let step = 0; step < 12; step++) {
			const text = texts.at(-1)!;
			const made = randomEdit(text, random);
			if (!made) continue;
			const { name, edit, touched } = made;
			const context = `seed ${seed}, step ${step}: ${name}`;
			expect(() => JSON.parse(edit.text), context).not.toThrow();
			expect(replay(text, edit.changes), context).toBe(edit.text);
			expect(edit.text.includes('\n') && !edit.text.includes('\r\n') && style.eol === '\r\n', context).toBe(false);
			// Ids stay unique, and the text of all other steps stays as it was.
			const ids = allModules(valueAt(edit.value, PREFIX)).map(({ module }) => module.id);
			expect(new Set(ids).size, context).toBe(ids.length);
			const [before, after] = [textOfSteps(text, touched), textOfSteps(edit.text, [])];
			const holders = new Set(allModules(valueAt(edit.value, PREFIX)).flatMap(({ module }) => (module.value?.type === 'script' ? [] : [module.id])));
			for (const [id, source] of before) if (!holders.has(id)) expect(after.get(id), `${context}: text of ${id}`).toBe(source);
			texts.push(edit.text);
			done.push(edit.changes);
		}
		// The history of the text editor gives back each text, to the last character. It has no CRLF.
		if (style.eol !== '\r\n') checkHistory(texts, done);
	});
});

/** Applies edits as the text editor does, undoes all of them, and repeats them. */
function checkHistory(texts: readonly string[], edits: readonly TextEdit[]): void {
	let state = EditorState.create({ doc: texts[0], extensions: [history({ newGroupDelay: 10_000 })] });
	const dispatch = (transaction: { state: EditorState }) => (state = transaction.state);
	const seen = [texts[0]!];
	for (const edit of edits) {
		dispatch(state.update(...edit.map((changes, index) => ({ changes: [...changes], sequential: index > 0, userEvent: 'input' }))));
		if (state.doc.toString() !== seen.at(-1)) seen.push(state.doc.toString());
	}
	expect(seen.at(-1)).toBe(texts.at(-1));
	for (const text of seen.slice(0, -1).reverse()) {
		undo({ state, dispatch });
		expect(state.doc.toString()).toBe(text);
	}
	for (const text of seen.slice(1)) {
		redo({ state, dispatch });
		expect(state.doc.toString()).toBe(text);
	}
}

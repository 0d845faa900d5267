import type { Edge, Node, Position } from '@xyflow/svelte';
import { isWithin } from '#lib/pointer.ts';
import type { Problem } from '#lib/problems.ts';
import type { Note } from '#lib/workflow/notes.ts';

/** A node of the layout computed by the core. Pixels from the top left corner, also inside groups. */
export interface LayoutNode {
	id: string;
	/** JSON Pointer of the module in the OpenFlow document. */
	pointer: string;
	/** The module's type, or `start`, `end`, `join`, `loop_end`, `group`, `unknown`; `subflow` is the frame of an opened sub-flow. */
	kind: string;
	label: string;
	/** The innermost enclosing group. */
	parent: string | null;
	x: number;
	y: number;
	width: number;
	height: number;
	/** Whether the steps inside are hidden. */
	isCollapsed?: boolean;
	/** Whether it is part of an opened sub-flow. */
	isReadOnly?: boolean;
}

/** An edge of the layout. */
export interface LayoutEdge {
	id: string;
	source: string;
	target: string;
	/** `next`, `branch`, `join`, `loop` or `failure`. */
	kind: string;
	/** SVG path data, routed around the cards. */
	path: string;
	label: string | null;
	/** JSON Pointer at which a step inserted on this edge belongs; null if none can be. */
	insert_at: string | null;
	label_x: number;
	label_y: number;
}

/** The layout of a workflow, as computed by the core. */
export interface Layout {
	direction: 'down' | 'right';
	width: number;
	height: number;
	nodes: LayoutNode[];
	edges: LayoutEdge[];
}

/** Data of a graph node. */
export type CardData = { kind: string; label: string; id: string; pointer: string; errors: number; warnings: number; isCollapsed: boolean; isReadOnly: boolean };
/** Data of a graph edge. */
export type EdgeData = { path: string; kind: string; label: string | null; insertAt: string | null; x: number; y: number };
/** A graph node: a card, a marker or the frame of a group. */
export type FlowNode = Node<CardData, 'card' | 'marker' | 'frame'>;
/** A note on the graph. */
export type NoteNode = Node<{ note: Note }, 'note'>;
/** A graph edge. */
export type FlowEdge = Edge<EdgeData, 'edge'>;

const MARKERS = new Set(['start', 'end', 'join', 'loop_end']);
const FRAMES = new Set(['group', 'subflow']);

/** Whether a layout node represents a module. */
export function isCard({ kind, pointer }: LayoutNode): boolean {
	return !MARKERS.has(kind) && !FRAMES.has(kind) && pointer !== '';
}

/** The innermost module that contains a place in the OpenFlow document. */
export function findEnclosingCard(nodes: readonly LayoutNode[], pointer: string): LayoutNode | undefined {
	let innermost: LayoutNode | undefined;
	for (const node of nodes) {
		const isNearer = innermost === undefined || node.pointer.length > innermost.pointer.length;
		if (isNearer && isCard(node) && isWithin(pointer, node.pointer)) innermost = node;
	}
	return innermost;
}

/** Counts errors and warnings per node. A problem counts for the innermost module that contains it. */
export function countProblems(nodes: readonly LayoutNode[], problems: readonly Problem[], prefix: string): Map<string, [number, number]> {
	const found = new Map<string, [number, number]>();
	if (problems.length === 0) return found;
	const cards = new Map(nodes.filter(isCard).map((node) => [node.pointer, node.id]));
	for (const problem of problems) {
		if (problem.severity === 'hint' || !problem.pointer.startsWith(prefix)) continue;
		const card = cardAround(cards, problem.pointer.slice(prefix.length));
		if (card === undefined) continue;
		const [errors, warnings] = found.get(card) ?? [0, 0];
		found.set(card, problem.severity === 'error' ? [errors + 1, warnings] : [errors, warnings + 1]);
	}
	return found;
}

/** Walks up from a place, so that the time does not depend on the number of cards. */
function cardAround(cards: ReadonlyMap<string, string>, pointer: string): string | undefined {
	for (let at = pointer; at !== ''; at = at.slice(0, at.lastIndexOf('/'))) {
		const card = cards.get(at);
		if (card !== undefined) return card;
	}
	return undefined;
}

/** A rectangle in pixels of the layout. */
export interface Rectangle {
	x: number;
	y: number;
	width: number;
	height: number;
}

/** Largest distance in pixels between a dropped card and the edge on which it is inserted. */
const MAX_DROP_DISTANCE = 48;

/**
 * The edge on which a dropped card is inserted: the one whose insertion place the card covers or is nearest to.
 * `undefined` if none is near, or if the place is where the dragged steps are already, or inside one of them.
 */
export function findDropEdge(layout: Layout, card: Rectangle, dragged: readonly string[]): LayoutEdge | undefined {
	let nearest: LayoutEdge | undefined;
	let shortest = Infinity;
	for (const edge of layout.edges) {
		const { insert_at, label_x, label_y } = edge;
		if (insert_at === null) continue;
		const dx = Math.max(card.x - label_x, 0, label_x - card.x - card.width);
		const dy = Math.max(card.y - label_y, 0, label_y - card.y - card.height);
		if (Math.hypot(dx, dy) > MAX_DROP_DISTANCE) continue;
		const distance = Math.hypot(card.x + card.width / 2 - label_x, card.y + card.height / 2 - label_y);
		if (distance < shortest) [nearest, shortest] = [edge, distance];
	}
	return nearest && !isOwnPlace(nearest.insert_at ?? '', dragged) ? nearest : undefined;
}

/** Pixels that stay free beside a card that is moved into view. */
const VIEW_MARGIN = 32;

/** How far a range of `length` pixels from `start` has to move to lie within a pane of `size` pixels; 0 if it does. */
export function shiftIntoView(start: number, length: number, size: number): number {
	if (start >= 0 && start + length <= size) return 0;
	if (length + 2 * VIEW_MARGIN > size) return (size - length) / 2 - start;
	return start < 0 ? VIEW_MARGIN - start : size - VIEW_MARGIN - length - start;
}

/** The insertion place that is nearest to a point; `undefined` if there is none. */
export function findNearestPlace({ edges }: Layout, x: number, y: number): string | undefined {
	const places = edges.flatMap(({ insert_at, label_x, label_y }) => (insert_at === null ? [] : [{ insert_at, distance: Math.hypot(label_x - x, label_y - y) }]));
	return places.sort((one, other) => one.distance - other.distance)[0]?.insert_at;
}

/** Whether moving steps to a place would change nothing, or put one of them into itself. */
function isOwnPlace(place: string, dragged: readonly string[]): boolean {
	if (dragged.some((pointer) => isWithin(place, pointer) && (place !== pointer || dragged.length === 1))) return true;
	const before = place.replace(/\d+$/, (index) => String(Number(index) - 1));
	return dragged.length === 1 && before === dragged[0];
}

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
		return isSame(known, fresh) ? known : { ...known, ...fresh };
	});
}

/** Largest number of nodes of which also those outside of the pane are drawn. */
export const MAX_WHOLE_NODES = 100;

/** What the graph library draws. */
export interface DrawnGraph {
	nodes: FlowNode[];
	edges: FlowEdge[];
}

/** What `toGraph` draws beside the layout. */
export interface GraphMarks {
	problems: readonly Problem[];
	/** JSON Pointer of the OpenFlow document, at which pointers of problems begin. */
	prefix: string;
	/** Ids of the selected cards. */
	selected?: ReadonlySet<string>;
	/** Whether cards can be dragged. */
	draggable?: boolean;
}

/**
 * Converts a layout to the nodes and edges of the graph library. Objects and lists that would say the same as before are
 * reused, because the library handles each new one as a change: a key press changes one card of two hundred.
 */
export function toGraph(layout: Layout, marks: GraphMarks, before: DrawnGraph = { nodes: [], edges: [] }): DrawnGraph {
	const findings = countProblems(layout.nodes, marks.problems, marks.prefix);
	const oldNodes = new Map(before.nodes.map((node) => [node.id, node]));
	const oldEdges = new Map(before.edges.map((edge) => [edge.id, edge]));
	const nodes = layout.nodes.map((node) => {
		const fresh = toNode(node, findings.get(node.id), marks);
		const old = oldNodes.get(node.id);
		if (!old) return fresh;
		// Also what the library noted, such as the measured size.
		return isSame(old, fresh) ? old : { ...old, ...fresh, data: isSame(old.data, fresh.data) ? old.data : fresh.data };
	});
	const edges = layout.edges.map((edge) => {
		const fresh = toEdge(edge);
		const old = oldEdges.get(edge.id);
		return old && isSame(old, fresh) ? old : fresh;
	});
	return { nodes: reuseList(before.nodes, nodes), edges: reuseList(before.edges, edges) };
}

function toNode(node: LayoutNode, findings: [number, number] = [0, 0], { selected, draggable = false }: GraphMarks): FlowNode {
	const { isCollapsed = false, isReadOnly = false } = node;
	const type = FRAMES.has(node.kind) ? 'frame' : MARKERS.has(node.kind) ? 'marker' : 'card';
	const [errors, warnings] = findings;
	return {
		id: node.id,
		type,
		position: { x: node.x, y: node.y },
		width: node.width,
		height: node.height,
		// Known here, so that the library need not draw a node to measure it.
		measured: { width: node.width, height: node.height },
		handles: [
			{ type: 'target', position: 'top' as Position, x: node.width / 2, y: 0, width: 1, height: 1 },
			{ type: 'source', position: 'bottom' as Position, x: node.width / 2, y: node.height, width: 1, height: 1 }
		],
		draggable: draggable && type === 'card' && !isReadOnly,
		selectable: type === 'card',
		focusable: type === 'card',
		zIndex: type === 'frame' ? -1 : 0,
		ariaLabel: type === 'card' ? `${node.kind} ${node.label}` : undefined,
		...(selected && { selected: selected.has(node.id) }),
		data: { kind: node.kind, label: node.label, id: node.id, pointer: node.pointer, errors, warnings, isCollapsed, isReadOnly }
	};
}

function toEdge(edge: LayoutEdge): FlowEdge {
	return {
		id: edge.id,
		source: edge.source,
		target: edge.target,
		type: 'edge',
		selectable: false,
		focusable: false,
		data: { path: edge.path, kind: edge.kind, label: edge.label, insertAt: edge.insert_at, x: edge.label_x, y: edge.label_y }
	};
}

/** Whether an object says what another one says, and perhaps more. */
function isSame(old: object, fresh: object): boolean {
	const known = old as Record<string, unknown>;
	return Object.entries(fresh).every(([key, value]) => {
		if (Object.is(known[key], value)) return true;
		return typeof value === 'object' && value !== null && typeof known[key] === 'object' && known[key] !== null && isSame(known[key], value);
	});
}

/** Returns the old list if the other one has the same items. */
export function reuseList<T>(old: T[], fresh: T[]): T[] {
	return old.length === fresh.length && fresh.every((item, index) => item === old[index]) ? old : fresh;
}

import type { Edge, Node, Position } from '@xyflow/svelte';
import { isWithin } from '#lib/pointer.ts';
import type { Note } from '#lib/workflow/notes.ts';

/** A node of the layout computed by the core. Pixels from the top left corner, also inside groups. */
export interface LayoutNode {
	id: string;
	/** JSON Pointer of the module, or the group of steps, in the OpenFlow document. */
	pointer: string;
	/** The module's type, or `start`, `end`, `join`, `loop_end`, `group` (the frame of a loop), `step_group` (that of a group, or its card), `unknown`; `subflow` is the frame of an opened sub-flow. */
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
/** A graph node: a card, a marker, the frame of a loop or sub-flow, or a group. */
export type FlowNode = Node<CardData, 'card' | 'marker' | 'frame' | 'steps'>;
/** A note on the graph. */
export type NoteNode = Node<{ note: Note }, 'note'>;
/** A graph edge. */
export type FlowEdge = Edge<EdgeData, 'edge'>;

const MARKERS = new Set(['start', 'end', 'join', 'loop_end']);
const FRAMES = new Set(['group', 'subflow']);
/** Kind of a group of steps. */
export const STEP_GROUP = 'step_group';

/** Whether a layout node represents a module. */
export function isCard({ kind, pointer }: LayoutNode): boolean {
	return !MARKERS.has(kind) && !FRAMES.has(kind) && kind !== STEP_GROUP && pointer !== '';
}

/** Whether a layout node is a frame around others. */
export function isFrame({ kind, isCollapsed = false }: LayoutNode): boolean {
	return FRAMES.has(kind) || (kind === STEP_GROUP && !isCollapsed);
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

/** A rectangle in pixels of the layout. */
export interface Rectangle {
	x: number;
	y: number;
	width: number;
	height: number;
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
	/** Numbers of errors and warnings by node, as `countProblems` finds them. */
	findings: ReadonlyMap<string, readonly [errors: number, warnings: number]>;
	/** Ids of the selected cards. */
	selected?: ReadonlySet<string>;
	/** Whether cards can be dragged. */
	draggable?: boolean;
}

/** Counts of a node without findings. */
const NO_FINDINGS: readonly [errors: number, warnings: number] = [0, 0];

/**
 * Converts a layout to the nodes and edges of the graph library. Objects and lists that would say the same as before are
 * reused, because the library handles each new one as a change: a key press changes one card of a thousand.
 */
export function toGraph(layout: Layout, marks: GraphMarks, before: DrawnGraph = { nodes: [], edges: [] }): DrawnGraph {
	const oldNodes = new Map(before.nodes.map((node) => [node.id, node]));
	const oldEdges = new Map(before.edges.map((edge) => [edge.id, edge]));
	const nodes = layout.nodes.map((node) => {
		const [old, found] = [oldNodes.get(node.id), marks.findings.get(node.id) ?? NO_FINDINGS];
		if (old && isSameNode(old, node, found, marks)) return old;
		// Also what the library noted, such as the measured size.
		return { ...old, ...toNode(node, found, marks) };
	});
	const edges = layout.edges.map((edge) => {
		const old = oldEdges.get(edge.id);
		return old && isSameEdge(old, edge) ? old : toEdge(edge);
	});
	return { nodes: reuseList(before.nodes, nodes), edges: reuseList(before.edges, edges) };
}

const typeOf = (node: LayoutNode) => (node.kind === STEP_GROUP ? 'steps' : isFrame(node) ? 'frame' : MARKERS.has(node.kind) ? 'marker' : 'card');
const isDraggable = (node: LayoutNode, { draggable = false }: GraphMarks) => draggable && typeOf(node) === 'card' && !node.isReadOnly;

function toNode(node: LayoutNode, [errors, warnings]: readonly [number, number], marks: GraphMarks): FlowNode {
	const { id, kind, label, pointer, x, y, width, height, isCollapsed = false, isReadOnly = false } = node;
	const type = typeOf(node);
	return {
		id,
		type,
		position: { x, y },
		width,
		height,
		// Known here, so that the library need not draw a node to measure it.
		measured: { width, height },
		handles: [
			{ type: 'target', position: 'top' as Position, x: width / 2, y: 0, width: 1, height: 1 },
			{ type: 'source', position: 'bottom' as Position, x: width / 2, y: height, width: 1, height: 1 }
		],
		draggable: isDraggable(node, marks),
		selectable: type === 'card',
		focusable: type === 'card',
		zIndex: type === 'frame' ? -1 : 0,
		// Edges and loops within a group can be clicked through it.
		...(type === 'steps' && { style: 'pointer-events: none' }),
		ariaLabel: type === 'card' ? `${kind} ${label}` : undefined,
		...(marks.selected && { selected: marks.selected.has(id) }),
		data: { kind, label, id, pointer, errors, warnings, isCollapsed, isReadOnly }
	};
}

/** Whether a graph node is what `toNode` would make. Compared field by field, because each key press compares all. */
function isSameNode(old: FlowNode, node: LayoutNode, [errors, warnings]: readonly [number, number], marks: GraphMarks): boolean {
	const { data, position, measured } = old;
	const isPlaced = position.x === node.x && position.y === node.y && old.width === node.width && old.height === node.height;
	const isMeasured = measured?.width === node.width && measured.height === node.height;
	const isMarked = old.draggable === isDraggable(node, marks) && (!marks.selected || old.selected === marks.selected.has(node.id));
	const isNamed = data.kind === node.kind && data.label === node.label && data.pointer === node.pointer;
	const isFlagged = data.errors === errors && data.warnings === warnings && data.isCollapsed === (node.isCollapsed ?? false) && data.isReadOnly === (node.isReadOnly ?? false);
	return isPlaced && isMeasured && isMarked && isNamed && isFlagged;
}

function toEdge({ id, source, target, path, kind, label, insert_at, label_x, label_y }: LayoutEdge): FlowEdge {
	return { id, source, target, type: 'edge', selectable: false, focusable: false, data: { path, kind, label, insertAt: insert_at, x: label_x, y: label_y } };
}

/** Whether a graph edge is what `toEdge` would make. */
function isSameEdge({ source, target, data }: FlowEdge, edge: LayoutEdge): boolean {
	const hasSameEnds = source === edge.source && target === edge.target && data?.path === edge.path && data.kind === edge.kind;
	return hasSameEnds && data.label === edge.label && data.insertAt === edge.insert_at && data.x === edge.label_x && data.y === edge.label_y;
}

/** Returns the old list if the other one has the same items. */
export function reuseList<T>(old: T[], fresh: T[]): T[] {
	return old.length === fresh.length && fresh.every((item, index) => item === old[index]) ? old : fresh;
}

import { findDropEdge } from './drop.ts';
import type { FlowNode, Layout, NoteNode } from './flow.ts';

/** What a dragged card needs to know, and what dropping it does. */
interface DragTarget {
	/** The layout that is shown. */
	layout: () => Layout;
	/** Moves the steps at some pointers before a place. */
	move: (pointers: string[], to: string) => void;
	/** Moves a note. */
	moveNote: (note: NoteNode) => void;
}

type Dragged = FlowNode | NoteNode;

/** Whether a node of the graph is part of the layout. */
export const isStep = (node: Dragged): node is FlowNode => node.type !== 'note';

/** Dragging of cards to edges, and of notes. */
export class CardDrag {
	/** Whether cards are being dragged. */
	isActive = $state(false);
	/** Id of the edge on which the dragged cards would be inserted. */
	edge = $state<string>();

	readonly #target: DragTarget;
	#isCancelled = false;

	constructor(target: DragTarget) {
		this.#target = target;
	}

	/** Begins to drag. `main` is the node under the pointer. */
	start(main: Dragged | null): void {
		[this.isActive, this.#isCancelled] = [main?.type !== 'note', false];
	}

	/** Follows the dragged nodes. */
	move(main: Dragged | null, dragged: readonly Dragged[]): void {
		this.edge = this.#findEdge(main, dragged)?.id;
	}

	/** Moves the steps to the edge on which they were dropped, or the note to its place. */
	drop(main: Dragged | null, dragged: readonly Dragged[]): void {
		const edge = this.#findEdge(main, dragged);
		[this.isActive, this.edge] = [false, undefined];
		if (main?.type === 'note') this.#target.moveNote(main);
		else if (edge?.insert_at) this.#target.move(dragged.filter(isStep).map(({ data }) => data.pointer), edge.insert_at);
	}

	/** Escape ends dragging: the library only knows the end of it, when the button is released. */
	cancel(event: KeyboardEvent): void {
		if (!this.isActive || event.key !== 'Escape') return;
		event.preventDefault();
		event.stopPropagation();
		this.#isCancelled = true;
		window.dispatchEvent(new MouseEvent('mouseup', { view: window }));
	}

	#findEdge(main: Dragged | null, dragged: readonly Dragged[]) {
		const card = main ?? dragged[0];
		if (!card || card.type === 'note' || this.#isCancelled) return undefined;
		const rectangle = { ...card.position, width: card.width ?? 0, height: card.height ?? 0 };
		return findDropEdge(this.#target.layout(), rectangle, dragged.filter(isStep).map(({ data }) => data.pointer));
	}
}

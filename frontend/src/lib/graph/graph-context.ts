import { createContext } from 'svelte';
import type { StepStatus } from '#lib/api/types.ts';
import type { Media } from '#lib/media/media.ts';
import type { GroupChange, StepGroup } from '#lib/workflow/groups.ts';
import type { Module } from '#lib/workflow/modules.ts';
import type { Note, NoteChange } from '#lib/workflow/notes.ts';
import type { GraphFolding } from './graph-folding.svelte.ts';
import type { StepChange } from '#lib/workflow/workflow-diff.ts';

/** State of a step without a run: the job can still reach it, or not any more. */
export type IdleState = 'waiting' | 'not_run';

/** State of a step in a run, as a card shows it. */
export interface CardRun {
	status: StepStatus | IdleState;
	/** When it started and ended, as RFC 3339; null if it did not yet. */
	startedAt: string | null;
	finishedAt: string | null;
	/** From 0 to 1; null if unknown. */
	progress: number | null;
	/** Position in the provider's queue; null unless it waits there. */
	queuePosition: number | null;
	/** Number of the attempt, from 1. */
	attempt: number;
	/** How often the step ran, in all iterations. */
	count: number;
	/** How many of these failed. */
	failed: number;
	/** Picture, video or sound of its result. */
	media: Media | null;
}

/**
 * What the cards and edges of a graph read directly, so that a change redraws a few of them instead of the whole graph.
 * Ids are those of the layout.
 */
export interface GraphContext {
	isSelected(id: string): boolean;
	/** Whether a search found the card. */
	isFound(id: string): boolean;
	/** The module of a card, or the object of a group of steps. */
	moduleAt(pointer: string): Module | undefined;
	/** State of a card's step in the run that is shown. */
	runOf(id: string): CardRun | undefined;
	/** Whether cards are being dragged. */
	readonly isDragging: boolean;
	/** What happened to a card's step between two versions, where they are compared. */
	changeOf?(id: string): StepChange | undefined;
	/** Id of the edge on which the dragged cards would be inserted. */
	readonly dropEdge: string | undefined;
	/** Collapses loops, branches and groups, and opens sub-flows. Absent if the graph can't. */
	readonly folding?: GraphFolding;
	/** Changes a note; null deletes it. Absent if the graph is read-only. */
	readonly changeNote?: (note: Note, change: NoteChange | null) => void;
	/** Changes a group of steps; null removes it, not its steps. Absent if the graph is read-only. */
	readonly changeGroup?: (group: StepGroup, change: GroupChange | null) => void;
	/** Lets the user choose a step to insert. Absent if the graph is read-only. */
	insert?: (at: string) => void;
}

/** Context of the graph. */
export const [useGraph, provideGraph] = createContext<GraphContext>();

import type { EditorAction } from './shortcuts.ts';

/** Actions of the workflow editor, with the keys that start them: a line of the list that `?` shows. */
interface CommandRow {
	/** Keys, as the list shows them. */
	keys: string;
	/** What they do. */
	action: string;
	/** The actions, with their names in the palette and on buttons, in the order of the keys. Absent for what needs a mouse or a direction. */
	commands?: readonly (readonly [action: EditorAction, name: string])[];
}

/** All actions: the palette, the list of shortcuts and the titles of buttons are made from them. */
const ROWS: readonly CommandRow[] = [
	{ keys: 'N', action: 'Insert a step', commands: [['insert', 'Insert a step']] },
	{ keys: 'Shift+N', action: 'Add a note to the graph', commands: [['note', 'Add a note']] },
	{ keys: 'Delete', action: 'Delete the selected steps', commands: [['remove', 'Delete the selected steps']] },
	{ keys: 'Ctrl+D', action: 'Duplicate the selected steps', commands: [['duplicate', 'Duplicate the selected steps']] },
	{ keys: 'Ctrl+C, Ctrl+X, Ctrl+V', action: 'Copy, cut, paste steps' },
	{ keys: 'Ctrl+A', action: 'Select all steps', commands: [['select-all', 'Select all steps']] },
	{ keys: '↑ ↓ ← →', action: 'Select the step next to the selected one' },
	{ keys: 'Shift+↑ ↓', action: 'Add the previous or next step to the selection' },
	{ keys: 'Alt+↑, Alt+↓', action: 'Move the selected steps, also into and out of loops and branches', commands: [['move-up', 'Move the selected steps up'], ['move-down', 'Move the selected steps down']] },
	{ keys: 'Shift+drag', action: 'Select the steps in a rectangle' },
	{ keys: '/, Ctrl+F', action: 'Search steps', commands: [['search', 'Search steps']] },
	{ keys: '1, 0', action: 'Show the whole graph, or its actual size', commands: [['fit', 'Show the whole graph'], ['zoom-reset', 'Show the graph in its actual size']] },
	{ keys: '+, -', action: 'Zoom in or out', commands: [['zoom-in', 'Zoom in'], ['zoom-out', 'Zoom out']] },
	{ keys: 'F2', action: 'Rename the selected step', commands: [['rename', 'Rename the selected step']] },
	{ keys: 'D', action: 'Disable or enable the selected steps', commands: [['disable', 'Disable or enable the selected steps']] },
	{ keys: 'Ctrl+G, Ctrl+Shift+G', action: 'Group the selected steps, or remove the group around them', commands: [['group', 'Group the selected steps'], ['ungroup', 'Remove the group around the selected step']] },
	{ keys: 'C', action: 'Hide or show the steps inside the selected step, or the group around it', commands: [['fold', 'Hide or show the steps inside the selected step']] },
	{ keys: 'Shift+C', action: 'Hide or show the steps of all loops, branches and groups', commands: [['fold-all', 'Hide or show the steps of all loops, branches and groups']] },
	{ keys: 'O', action: 'Open the workflow that the selected step runs', commands: [['open-subflow', 'Open the workflow that the selected step runs']] },
	{ keys: 'Esc', action: 'Select nothing', commands: [['clear', 'Select nothing']] },
	{ keys: 'Ctrl+Z, Ctrl+Shift+Z', action: 'Undo, redo', commands: [['undo', 'Undo'], ['redo', 'Redo']] },
	{ keys: 'Ctrl+S', action: 'Save', commands: [['save', 'Save']] },
	{ keys: 'Ctrl+Enter', action: 'Run', commands: [['run', 'Run']] },
	{ keys: 'Ctrl+Shift+H', action: 'Show the versions', commands: [['versions', 'Versions']] },
	{ keys: 'T', action: 'Show or hide the text', commands: [['text', 'Show or hide the text']] },
	{ keys: 'P', action: 'Show or hide the details panel', commands: [['panel', 'Details panel']] },
	{ keys: 'F6, Shift+F6', action: 'Go to the next or previous part: graph, text, details, findings', commands: [['next-pane', 'Go to the next part of the editor'], ['previous-pane', 'Go to the previous part of the editor']] },
	{ keys: 'Ctrl+K', action: 'Go to anything' },
	{ keys: '?', action: 'Show the shortcuts', commands: [['help', 'Keyboard shortcuts']] }
];

/** Keyboard shortcuts of the workflow editor, for the list that `?` shows. */
export const EDITOR_SHORTCUTS: readonly { keys: string; action: string }[] = ROWS;

/** An action of the editor as the palette and buttons name it. */
export interface EditorCommand {
	action: EditorAction;
	name: string;
	/** The key that starts it. */
	keys: string;
}

/** The actions of the editor that have a name. */
export const EDITOR_COMMANDS: readonly EditorCommand[] = ROWS.flatMap(({ keys, commands = [] }) =>
	commands.map(([action, name], index): EditorCommand => ({ action, name, keys: keys.split(', ')[index] ?? keys }))
);

const byAction = new Map(EDITOR_COMMANDS.map((command) => [command.action, command]));

/** Name of an action. */
export const commandName = (action: EditorAction): string => byAction.get(action)?.name ?? action;

/** Title of an action's button: `Undo (Ctrl+Z)`. */
export const commandTitle = (action: EditorAction): string => `${commandName(action)} (${byAction.get(action)?.keys ?? ''})`;

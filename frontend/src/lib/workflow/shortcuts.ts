/** Keyboard shortcuts of the text, for the same list. */
export const TEXT_SHORTCUTS: readonly { keys: string; action: string }[] = [
	{ keys: 'Ctrl+Space', action: 'Complete a key, a value or an expression' },
	{ keys: 'Enter, Tab', action: 'Accept the completion' },
	{ keys: 'Tab, Shift+Tab', action: 'Leave the text, if no completions are shown' },
	{ keys: 'Ctrl+[ ]', action: 'Indent less or more' },
	{ keys: 'Ctrl+I', action: 'Explain the place at the cursor' },
	{ keys: 'F8, Shift+F8', action: 'Go to the next or previous finding' },
	{ keys: 'Ctrl+.', action: 'Fix the finding at the cursor' },
	{ keys: 'F12, Ctrl+click', action: 'Go to the step that is named there' },
	{ keys: 'F2', action: 'Rename the step that is named there' },
	{ keys: 'Ctrl+Shift+O', action: 'Go to a step' },
	{ keys: 'Shift+Alt+F', action: 'Format the text' },
	{ keys: 'Ctrl+F', action: 'Find and replace' },
	{ keys: 'Ctrl+Shift+[ ]', action: 'Fold or unfold an object or a list' }
];

/** An action on the graph that a key starts. */
export type GraphAction = 'open-subflow' | 'note' | 'group' | 'ungroup' | 'fold' | 'fold-all' | 'search' | 'fit' | 'zoom-in' | 'zoom-out' | 'zoom-reset' | 'left' | 'right';

/** An action of the editor that a key starts. */
export type EditorAction =
	| GraphAction
	| 'insert'
	| 'remove'
	| 'duplicate'
	| 'select-all'
	| 'previous'
	| 'next'
	| 'extend-previous'
	| 'extend-next'
	| 'move-up'
	| 'move-down'
	| 'rename'
	| 'disable'
	| 'clear'
	| 'undo'
	| 'redo'
	| 'save'
	| 'run'
	| 'versions'
	| 'text'
	| 'next-pane'
	| 'previous-pane'
	| 'panel'
	| 'help';

/** The parts of a keyboard event that decide. */
export interface KeyPress {
	key: string;
	ctrlKey: boolean;
	metaKey: boolean;
	shiftKey: boolean;
	altKey: boolean;
}

/** The action that a key starts; `null` for none. `typing` is whether the focus is in a field, where only few keys count. */
export function findAction({ key, ctrlKey, metaKey, shiftKey, altKey }: KeyPress, typing: boolean): EditorAction | null {
	const held = ctrlKey || metaKey;
	if (altKey) return typing || held ? null : key === 'ArrowUp' ? 'move-up' : key === 'ArrowDown' ? 'move-down' : null;
	const name = key.length === 1 ? key.toLowerCase() : key;
	if (held && name === 's') return 'save';
	if (held && name === 'Enter') return 'run';
	if (held && shiftKey && name === 'h') return 'versions';
	if (name === 'F6' && !held) return shiftKey ? 'previous-pane' : 'next-pane';
	if (typing) return null;
	if (held) {
		switch (name) {
			case 'd':
				return 'duplicate';
			case 'a':
				return 'select-all';
			case 'f':
				return 'search';
			case 'g':
				return shiftKey ? 'ungroup' : 'group';
			case 'z':
				return shiftKey ? 'redo' : 'undo';
			case 'y':
				return 'redo';
			default:
				return null;
		}
	}
	switch (name) {
		case 'n':
			return shiftKey ? 'note' : 'insert';
		case 'Delete':
		case 'Backspace':
			return 'remove';
		case 'ArrowUp':
			return shiftKey ? 'extend-previous' : 'previous';
		case 'ArrowDown':
			return shiftKey ? 'extend-next' : 'next';
		case 'ArrowLeft':
			return 'left';
		case 'ArrowRight':
			return 'right';
		case '/':
			return 'search';
		case '1':
			return 'fit';
		case '0':
			return 'zoom-reset';
		case '+':
		case '=':
			return 'zoom-in';
		case '-':
			return 'zoom-out';
		case 'F2':
			return 'rename';
		case 'd':
			return 'disable';
		case 'c':
			return shiftKey ? 'fold-all' : 'fold';
		case 'Escape':
			return 'clear';
		case 'o':
			return 'open-subflow';
		case 't':
			return 'text';
		case 'p':
			return 'panel';
		case '?':
			return 'help';
		default:
			return null;
	}
}

/** Whether an element takes text, so that single letters are not shortcuts. */
export function isTextField(target: EventTarget | null): boolean {
	if (!(target instanceof HTMLElement)) return false;
	return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

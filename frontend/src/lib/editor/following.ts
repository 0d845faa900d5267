import type { Extension } from '@codemirror/state';
import { EditorView, keymap } from '@codemirror/view';

/** F12 and Ctrl+click go to what is named at a position. `follow` returns whether there is anything. */
export function following(follow: (position: number) => boolean): Extension {
	return [
		keymap.of([{ key: 'F12', preventDefault: true, run: ({ state }) => (follow(state.selection.main.head), true) }]),
		EditorView.domEventHandlers({
			mousedown: (event, view) => {
				if (event.button !== 0 || !(event.ctrlKey || event.metaKey)) return false;
				const position = view.posAtCoords({ x: event.clientX, y: event.clientY });
				if (position === null || !follow(position)) return false;
				event.preventDefault();
				return true;
			}
		})
	];
}

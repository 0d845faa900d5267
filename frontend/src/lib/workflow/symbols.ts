import { cursorAt } from '#lib/editor/cursor.ts';
import { decodeString } from '#lib/editor/string-positions.ts';
import { formatPointer, valueAt } from '#lib/pointer.ts';
import { stepAt } from './explain-expression.ts';
import { allModules, type PlacedModule } from './modules.ts';

/** The step that is named at a position of a workflow's text: by its `id`, in an expression, or in `early_return`. Null if there is none. */
export function findStepAt(text: string, position: number, prefix: string): PlacedModule | null {
	const here = cursorAt(text, position);
	// Behind a string, the cursor still touches it.
	const cursor = here?.string ? here : cursorAt(text, position - 1);
	const document = readDocument(text, prefix);
	if (!cursor?.string || cursor.kind !== 'value' || document === undefined) return null;
	const { value, offsets } = decodeString(text, cursor.string);
	const offset = offsets.findIndex((at) => at >= position);
	const key = cursor.path.at(-1);
	const modules = allModules(document);
	const own = modules.find(({ pointer }) => `${prefix}${pointer}/id` === formatPointer(cursor.path));
	if (own) return own;
	const id = key === 'expr' || key === 'skip_expr' ? stepAt(value, offset < 0 ? value.length : offset) : key === 'early_return' ? value : null;
	return modules.find(({ module }) => id !== null && module.id === id) ?? null;
}

function readDocument(text: string, prefix: string): unknown {
	try {
		return valueAt(JSON.parse(text), prefix);
	} catch {
		return undefined;
	}
}

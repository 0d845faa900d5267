import { isWithin } from '#lib/pointer.ts';
import { allModules, isObject, splitPlace, type Module, type PlacedModule } from './modules.ts';

/** The modules of a document by pointer and id. Looking one up takes the same time in a document of a thousand steps. */
export class StepIndex {
	readonly #byPointer = new Map<string, Module>();
	readonly #byId = new Map<string, string[]>();

	constructor(document: unknown) {
		for (const { pointer, module } of allModules(document)) {
			this.#byPointer.set(pointer, module);
			if (typeof module.id !== 'string') continue;
			const known = this.#byId.get(module.id);
			if (known) known.push(pointer);
			else this.#byId.set(module.id, [pointer]);
		}
	}

	/** The modules that contain a place, innermost first. */
	enclosing(pointer: string): PlacedModule[] {
		const found: PlacedModule[] = [];
		for (let end = pointer.lastIndexOf('/'); end > 0; end = pointer.lastIndexOf('/', end - 1)) {
			const outer = pointer.slice(0, end);
			const module = this.#byPointer.get(outer);
			if (module) found.push({ pointer: outer, module });
		}
		return found;
	}

	/** Whether an expression at a place can use the result of a step: whether it is one of `visibleModules`. */
	isVisible(id: string, from: string): boolean {
		const places = this.#placesOf(from);
		return (this.#byId.get(id) ?? []).some((pointer) => this.#isEarlier(pointer, places));
	}

	/** Whether an expression in the head of a loop can use the result of a step inside the loop. */
	isVisibleInside(id: string, loop: PlacedModule): boolean {
		const { value } = loop.module;
		if (!isLoop(loop.module) || !Array.isArray(value?.modules)) return false;
		return this.isVisible(id, `${loop.pointer}/value/modules/${value.modules.length}`);
	}

	/** Whether a place is inside a loop. */
	isInLoop(pointer: string): boolean {
		return this.enclosing(pointer).some(({ module }) => isLoop(module));
	}

	/** How many elements of each list are earlier than a place, by the pointer of the list. */
	#placesOf(from: string): Map<string, number> {
		const places = new Map<string, number>();
		if (isWithin(from, '/value/failure_module')) places.set('/value/modules', Infinity);
		for (const pointer of [from, ...this.enclosing(from).map((placed) => placed.pointer)]) {
			const split = splitPlace(pointer);
			if (split) places.set(split.list, split.index);
		}
		return places;
	}

	/** Whether a step, or a branch around it, is in one of the lists before the index. */
	#isEarlier(pointer: string, places: ReadonlyMap<string, number>): boolean {
		const isBefore = (at: string) => {
			const split = splitPlace(at);
			return split !== null && split.index < (places.get(split.list) ?? 0);
		};
		if (isBefore(pointer)) return true;
		for (const { pointer: around, module } of this.enclosing(pointer)) {
			if (!isBranch(module)) return false;
			if (isBefore(around)) return true;
		}
		return false;
	}
}

/** Whether a module runs the steps inside it several times. */
function isLoop(module: Module): boolean {
	return isObject(module.value) && String(module.value.type).endsWith('loopflow');
}

function isBranch({ value }: Module): boolean {
	return value?.type === 'branchone' || value?.type === 'branchall';
}

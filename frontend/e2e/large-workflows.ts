import type { World } from './fixtures.ts';

type Step = Record<string, unknown>;

function call(index: number, { node }: World, image: string): Step {
	return {
		id: `step_${index}`,
		summary: `Picture ${index}`,
		value: {
			type: 'script',
			path: `node/${node}`,
			input_transforms: {
				prompt: { type: 'static', value: `Change number ${index}` },
				input_image: { type: 'javascript', expr: image }
			}
		}
	};
}

/** Calls in sequence, each with the picture of the one before. */
function sequence(world: World, from: number, count: number, first: string): Step[] {
	return Array.from({ length: count }, (_, index) => call(from + index, world, index === 0 ? first : `results.step_${from + index - 1}.output_image`));
}

function document(summary: string, modules: Step[]) {
	return {
		summary,
		schema: {
			type: 'object',
			properties: { input_image: { type: 'string', description: 'Address of the picture' }, pictures: { type: 'array', items: { type: 'string' } } },
			required: ['input_image']
		},
		value: { modules }
	};
}

/** A workflow of calls one after the other. */
export function straightWorkflow(world: World, id: string, count: number) {
	const name = `Sequence of ${count} ${world.unique}`;
	return { id, name, description: `${count} calls in sequence`, nodes: document(name, sequence(world, 1, count, 'flow_input.input_image')) };
}

/** A workflow of as many steps, where each ten are a call, a loop with three calls, and a choice between two calls and one. */
export function branchedWorkflow(world: World, id: string, count: number) {
	const name = `Branches of ${count} ${world.unique}`;
	const modules: Step[] = [];
	for (let from = 1; from + 9 <= count; from += 10) {
		const image = 'flow_input.input_image';
		modules.push(call(from, world, image));
		modules.push({
			id: `step_${from + 1}`,
			summary: `Loop ${from + 1}`,
			value: {
				type: 'forloopflow',
				parallel: true,
				iterator: { type: 'javascript', expr: 'flow_input.pictures' },
				modules: sequence(world, from + 2, 3, 'flow_input.iter.value')
			}
		});
		modules.push({
			id: `step_${from + 5}`,
			summary: `Choice ${from + 5}`,
			value: {
				type: 'branchone',
				branches: [{ summary: 'with a picture', expr: 'flow_input.input_image != ""', modules: sequence(world, from + 6, 2, image) }],
				default: sequence(world, from + 8, 1, image)
			}
		});
		modules.push(call(from + 9, world, `results.step_${from}.output_image`));
	}
	return { id, name, description: `${count} steps in loops and branches`, nodes: document(name, modules) };
}

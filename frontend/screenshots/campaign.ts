type Step = Record<string, unknown>;

const fixed = (value: unknown) => ({ type: 'static', value });
const from = (expr: string) => ({ type: 'javascript', expr });

function call(id: string, summary: string, node: string, inputs: Record<string, unknown>, more: Step = {}): Step {
	return { id, summary, value: { type: 'script', path: `node/${node}`, input_transforms: inputs }, ...more };
}

const edit = (id: string, summary: string, prompt: string, image: string, more: Step = {}) =>
	call(id, summary, 'replicate-flux-kontext-pro', { prompt: fixed(prompt), input_image: from(image) }, more);

/** A workflow of twenty steps as a customer may have it: calls, a loop, a choice and parallel branches. */
export function campaignWorkflow() {
	const modules: Step[] = [
		call('sketch', 'Sketch the product', 'stability-core', { prompt: from('flow_input.product') }, { cache_ttl: 3600 }),
		call('cutout', 'Remove the background', 'stability-remove-background', { image: from('results.sketch.image') }),
		edit('studio', 'Put it into a studio', 'On a white table, soft light', 'results.cutout.image', { retry: { constant: { attempts: 3, seconds: 2 } } }),
		edit('hero', 'Hero picture', 'Dramatic light, low angle', 'results.studio.image'),
		{
			id: 'markets',
			summary: 'For each market',
			value: {
				type: 'forloopflow',
				parallel: true,
				iterator: from('flow_input.markets'),
				modules: [
					call('scene', 'Scene of the market', 'replicate-flux-kontext-pro', { prompt: from('`In the streets of ${flow_input.iter.value}`'), input_image: from('results.hero.image') }),
					edit('poster', 'Poster', 'As a travel poster', 'results.scene.image'),
					edit('banner', 'Banner', 'As a wide banner', 'results.poster.image')
				]
			}
		},
		{
			id: 'quality',
			summary: 'Draft or final?',
			value: {
				type: 'branchone',
				branches: [
					{
						summary: 'final',
						expr: 'flow_input.final === true',
						modules: [
							call('enlarge', 'Enlarge', 'stability-upscale-creative', { image: from('results.hero.image'), prompt: from('flow_input.product') }),
							edit('grade', 'Grade the colours', 'Warm colours', 'results.enlarge.image')
						]
					}
				],
				default: [edit('draft', 'Keep the draft', 'Lower contrast', 'results.hero.image')]
			}
		},
		{
			id: 'media',
			summary: 'Sound and pictures',
			value: {
				type: 'branchall',
				parallel: true,
				branches: [
					{
						summary: 'pictures',
						modules: [edit('square', 'Square for the feed', 'Centred', 'results.hero.image'), edit('story', 'Upright for stories', 'With room for text', 'results.square.image')]
					},
					{
						summary: 'variants',
						modules: [edit('night', 'At night', 'At night, neon lights', 'results.hero.image'), edit('winter', 'In winter', 'In the snow', 'results.night.image')]
					}
				]
			}
		},
		edit('final', 'Last retouch', 'Sharpen', 'results.hero.image', { timeout: 120 }),
		call('video', 'Let it move', 'replicate-kling-v2.1', { start_image: from('results.final.image'), prompt: fixed('slow camera move') })
	];
	return {
		name: 'Campaign for a product',
		description: 'Pictures for each market, variants and a video of one product',
		nodes: {
			summary: 'Campaign for a product',
			schema: {
				type: 'object',
				properties: {
					product: { type: 'string', description: 'What is sold' },
					markets: { type: 'array', items: { type: 'string' }, description: 'Cities' },
					final: { type: 'boolean', description: 'Whether the final quality is needed' }
				},
				required: ['product', 'markets']
			},
			value: { modules }
		}
	};
}

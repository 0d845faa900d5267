import type { Module } from './modules.ts';

/** A ready-made workflow of library nodes. */
export interface WorkflowTemplate {
	id: string;
	name: string;
	description: string;
	/** Library nodes that it uses. They are added with their connectors. */
	nodes: string[];
	/** The OpenFlow document. */
	document: Record<string, unknown>;
}

type Property = Record<string, unknown>;

const text = (description: string, more: Property = {}): Property => ({ type: 'string', description, ...more });
const media = (format: 'image' | 'audio' | 'video', description: string): Property => ({ type: ['string', 'object'], format, description });
const fixed = (value: unknown) => ({ type: 'static', value });
const from = (expr: string) => ({ type: 'javascript', expr });

function call(id: string, summary: string, node: string, inputs: Record<string, unknown>, more: Record<string, unknown> = {}): Module {
	return { id, summary, value: { type: 'script', path: `node/${node}`, input_transforms: inputs }, ...more };
}

function template(id: string, name: string, description: string, properties: Record<string, Property>, required: string[], modules: Module[]): WorkflowTemplate {
	const nodes = new Set<string>();
	const visit = (value: unknown) => {
		if (typeof value !== 'object' || value === null) return;
		for (const [key, inner] of Object.entries(value)) {
			if (key === 'path' && typeof inner === 'string' && inner.startsWith('node/')) nodes.add(inner.slice('node/'.length));
			else visit(inner);
		}
	};
	visit(modules);
	return { id, name, description, nodes: [...nodes], document: { summary: name, description, schema: { type: 'object', properties, required }, value: { modules } } };
}

/** Workflows to begin with. */
export const WORKFLOW_TEMPLATES: readonly WorkflowTemplate[] = [
	template(
		'hat-and-cartoon',
		'Hat and cartoon',
		'Puts a hat on a person, then turns the picture into a cartoon',
		{ input_image: media('image', 'Picture of a person') },
		['input_image'],
		[
			call('add_hat_step', 'Add a hat', 'replicate-flux-kontext-pro', { prompt: fixed('Add a hat to the person'), input_image: from('flow_input.input_image') }),
			call('cartoon_step', 'Make a cartoon', 'replicate-flux-kontext-pro', { prompt: fixed('Make this a 90s cartoon'), input_image: from('results.add_hat_step.image') })
		]
	),
	template(
		'text-to-video',
		'Text to video',
		'Makes a picture from a text, enlarges it, and lets it move',
		{ prompt: text('What to show'), motion: text('How it moves', { default: 'slow camera move' }) },
		['prompt'],
		[
			call('picture', 'Make the picture', 'stability-core', { prompt: from('flow_input.prompt') }),
			call('enlarge', 'Enlarge it', 'stability-upscale-creative', { image: from('results.picture.image'), prompt: from('flow_input.prompt') }),
			call('video', 'Let it move', 'replicate-kling-v2.1', { start_image: from('results.enlarge.image'), prompt: from('flow_input.motion') })
		]
	),
	template(
		'dubbing',
		'Dubbing',
		'Transcribes a recording and speaks its text with another voice',
		{ recording: media('audio', 'The recording'), voice_id: text('Voice at ElevenLabs') },
		['recording', 'voice_id'],
		[
			call('transcribe', 'Transcribe', 'elevenlabs-speech-to-text', { file: from('flow_input.recording') }),
			call('speak', 'Speak the text', 'elevenlabs-text-to-speech', { text: from('results.transcribe.text'), voice_id: from('flow_input.voice_id') })
		]
	),
	template(
		'product-photos',
		'Product photos in bulk',
		'Removes the background of each picture and puts the product into a new scene',
		{ photos: { type: 'array', description: 'Pictures of products', items: media('image', 'A picture') }, scene: text('The new scene', { default: 'on a marble table, soft daylight' }) },
		['photos'],
		[
			{
				id: 'each_photo',
				summary: 'For each photo',
				value: {
					type: 'forloopflow',
					iterator: from('flow_input.photos'),
					parallel: true,
					parallelism: 4,
					skip_failures: true,
					modules: [
						call('cut_out', 'Remove the background', 'stability-remove-background', { image: from('flow_input.iter.value') }),
						call('place', 'Put it into the scene', 'bfl-flux-kontext-pro', { prompt: from('"Place the product " + flow_input.scene'), input_image: from('results.cut_out.image') })
					]
				}
			}
		]
	),
	template(
		'provider-race',
		'Three providers race',
		'Asks three providers for the same picture, uses the fastest and cancels the others',
		{ prompt: text('What to show') },
		['prompt'],
		[
			{
				id: 'fastest',
				summary: 'Fastest provider',
				value: {
					type: 'branchall',
					race: true,
					parallel: true,
					branches: [
						{ summary: 'Replicate', modules: [call('replicate', 'Replicate', 'replicate-flux-1.1-pro', { prompt: from('flow_input.prompt') })] },
						{ summary: 'Black Forest Labs', modules: [call('bfl', 'Black Forest Labs', 'bfl-flux-pro-1.1', { prompt: from('flow_input.prompt') })] },
						{ summary: 'Stability AI', modules: [call('stability', 'Stability AI', 'stability-ultra', { prompt: from('flow_input.prompt') })] }
					]
				}
			}
		]
	),
	template(
		'approval-before-video',
		'Approval before the expensive step',
		'Makes a cheap picture and waits for approval before the video is made',
		{ prompt: text('What to show') },
		['prompt'],
		[
			call('draft', 'Cheap draft', 'fal-flux-schnell', { prompt: from('flow_input.prompt') }, { suspend: { required_events: 1, timeout: 86_400 } }),
			call('video', 'Video', 'fal-kling-v2.1', { prompt: from('flow_input.prompt'), image_url: from('results.draft.images[0]') })
		]
	),
	template(
		'narrated-story',
		'Narrated story',
		'Speaks a text and makes its cover and its music at the same time',
		{ story: text('The story', { format: 'textarea' }), cover: text('What the cover shows') },
		['story', 'cover'],
		[
			{
				id: 'parts',
				summary: 'All parts',
				value: {
					type: 'branchall',
					parallel: true,
					branches: [
						{ summary: 'Voice', modules: [call('voice', 'Narration', 'openai-speech', { input: from('flow_input.story') })] },
						{ summary: 'Cover', modules: [call('cover', 'Cover', 'openai-images-generate', { prompt: from('flow_input.cover') })] },
						{ summary: 'Music', modules: [call('music', 'Music', 'elevenlabs-music', { prompt: from('"Calm background music for: " + flow_input.cover') })] }
					]
				}
			}
		]
	),
	template(
		'draft-or-final',
		'Draft or final quality',
		'Uses a fast model for drafts and a better one for the final picture',
		{ prompt: text('What to show'), quality: text('Quality', { enum: ['draft', 'final'], default: 'draft' }) },
		['prompt'],
		[
			{
				id: 'quality',
				summary: 'Which quality',
				value: {
					type: 'branchone',
					branches: [{ summary: 'final', expr: 'flow_input.quality === "final"', modules: [call('final', 'Final picture', 'bfl-flux-pro-1.1-ultra', { prompt: from('flow_input.prompt') })] }],
					default: [call('draft', 'Draft', 'replicate-flux-schnell', { prompt: from('flow_input.prompt') })]
				}
			}
		]
	),
	template(
		'edit-with-fallback',
		'Edit with a second try',
		'Edits a picture; if the first provider fails, another one does it',
		{ picture: media('image', 'The picture'), change: text('What to change') },
		['picture', 'change'],
		[
			{
				id: 'edit',
				summary: 'Edit',
				value: {
					type: 'script',
					path: 'node/bfl-flux-kontext-max',
					input_transforms: { prompt: from('flow_input.change'), input_image: from('flow_input.picture') },
					fallback: [{ path: 'node/openai-images-edit', input_transforms: { prompt: from('flow_input.change'), image: from('flow_input.picture') } }]
				},
				retry: { exponential: { attempts: 2, seconds: 2, multiplier: 2 } },
				timeout: 300
			}
		]
	)
];

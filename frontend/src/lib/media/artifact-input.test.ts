import { expect, it } from 'vitest';
import { inputWithArtifact } from './artifact-input.ts';
import { fieldsFromInputs } from '#lib/forms/schema-form.ts';

const artifact = { artifact: 'a1', url: 'https://x/a1', mime: 'image/png', size_bytes: 1, sha256: '' };
const inputOf = (...inputs: [name: string, type: string][]) => inputWithArtifact(fieldsFromInputs(inputs.map(([name, type]) => ({ name, type }))), artifact);

it.each([
	[[['prompt', 'string'], ['picture', 'image']], { picture: artifact }],
	[[['any', 'file'], ['clip', 'video']], { any: artifact }],
	[[['prompt', 'string'], ['input_image', 'string']], { input_image: 'https://x/a1' }],
	[[['prompt', 'string'], ['clip', 'video']], {}]
] as [[string, string][], object][])('inputs %j', (inputs, expected) => expect(inputOf(...inputs)).toEqual(expected));

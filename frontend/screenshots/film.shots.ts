import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, makePortrait, test } from '../e2e/fixtures.ts';
import { tellFoundingStory } from '../e2e/founding-story.ts';
import { Camera } from './camera.ts';
import { folder } from './folder.ts';

/** The film is part of README.md. */
const MAX_SIZE_BYTES = 1.5 * 1024 * 1024;

test('the founding story', async ({ admin, context, rest }) => {
	await rest.standIn({ delivery: 'local', delay_ms: 2500 });
	const studio = await context.newPage();
	const camera = new Camera(admin, studio);
	await tellFoundingStory(admin, camera, {
		name: 'Hat and cartoon',
		key: 'r8_key_of_the_stand_in',
		picture: await makePortrait(admin.request),
		redirect: () => rest.redirectToStandIn('replicate', 'REPLICATE_API_TOKEN', 'r8_key_of_the_stand_in')
	});
	const { film } = camera;
	mkdirSync(folder(), { recursive: true });
	writeFileSync(join(folder(), 'founding-story.webp'), film);
	expect(film.length).toBeLessThanOrEqual(MAX_SIZE_BYTES);
});

import { expect, expectRefusal, node, PICTURE, test, unknownJob, workflow, type World } from './fixtures.ts';
import type { Job } from './types.ts';

test('a run is started from its form and followed to its end', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.standIn({ delay_ms: 2500 });
	await admin.goto(`/workflows/${world.workflow}/run`);
	await admin.getByRole('button', { name: 'Run' }).click();
	await expect(admin.getByText('a value is required')).toBeVisible();
	await admin.getByLabel('input_image').fill(PICTURE);
	await admin.getByLabel('style').selectOption('vintage');
	await admin.getByRole('button', { name: 'JSON of options' }).click();
	await admin.getByLabel('options as JSON').fill('{"a": [1]}');
	await admin.keyboard.press('Tab');
	await admin.getByRole('button', { name: 'Run' }).click();

	const streams: string[] = [];
	admin.on('request', (request) => {
		if (request.url().endsWith('/events')) streams.push(request.url());
	});
	await expect(admin).toHaveURL(/\/jobs\/[^/]+$/);
	const steps = admin.getByRole('list', { name: 'Steps' }).locator('> li');
	await expect(steps.filter({ hasText: 'add_hat_step' })).toContainText('running');
	await expect(steps.filter({ hasText: 'cartoon_step' })).toContainText('running', { timeout: 15_000 });
	await expect(steps.filter({ hasText: 'add_hat_step' })).toContainText('completed');
	await expect(admin.getByRole('status')).toContainText('completed', { timeout: 15_000 });
	await expect(steps.filter({ hasText: 'completed' })).toHaveCount(2);
	expect(streams.length, 'streams of events that were opened').toBeLessThanOrEqual(2);

	const output = admin.getByRole('region', { name: 'Output', exact: true });
	const picture = output.getByRole('img', { name: 'output_image' });
	await expect(picture).toBeVisible();
	expect(await picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(1);
	await expect(admin.getByRole('region', { name: 'Input of the job' })).toContainText('"style": "vintage"');
});

test('a kept picture is shown from this server', async ({ admin, rest }) => {
	const world = await rest.world();
	const output = [{ name: 'output_image', type: 'image', mapping: 'output' }];
	await rest.call('PUT', `/nodes/${world.node}`, { ...node(world), output });
	await rest.standIn({ delivery: 'local' });
	const job = await rest.run(world.workflow, { input_image: PICTURE });
	expect(job.status, JSON.stringify(job.error)).toBe('completed');
	const kept = (job.output as { output_image: { artifact: string } }).output_image;

	await admin.goto(`/jobs/${job.id}`);
	const region = admin.getByRole('region', { name: 'Output', exact: true });
	const picture = region.getByRole('img', { name: 'output_image' });
	await expect(picture).toHaveAttribute('src', new RegExp(`/api/v1/artifacts/${kept.artifact}$`));
	await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(256);
	await expect(region.getByRole('figure')).toContainText(/256 × 256 · [\d.]+ kB/);
	const [file] = await Promise.all([admin.waitForEvent('popup'), region.getByRole('link', { name: /^output_image/ }).click()]);
	await expect(file).toHaveURL(new RegExp(`/api/v1/artifacts/${kept.artifact}$`));
});

test('outputs come first: they are enlarged, saved and compared by keyboard', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.call('PUT', `/nodes/${world.node}`, { ...node(world), output: [{ name: 'output_image', type: 'image', mapping: 'output' }] });
	await rest.standIn({ delivery: 'local' });
	const job = await rest.run(world.workflow, { input_image: PICTURE });
	await admin.goto(`/jobs/${job.id}`);
	await expect(admin).toHaveTitle(/^✓ Cartoon/);
	const output = admin.getByRole('region', { name: 'Output', exact: true });
	const graph = admin.getByRole('region', { name: 'Graph of the job' });
	await expect(graph).toBeVisible();
	expect((await output.boundingBox())!.y).toBeLessThan((await graph.boundingBox())!.y);

	await output.getByRole('button', { name: 'Enlarge output_image' }).focus();
	await admin.keyboard.press('Enter');
	const viewer = admin.getByRole('dialog', { name: 'output_image' });
	await expect(viewer.getByRole('img', { name: 'output_image' })).toBeVisible();
	const [saved] = await Promise.all([admin.waitForEvent('download'), viewer.getByRole('link', { name: 'Download' }).click()]);
	expect(saved.suggestedFilename()).toMatch(/\.png$/);
	await admin.keyboard.press('Escape');
	await expect(viewer).toHaveCount(0);

	await output.getByRole('button', { name: 'Compare' }).click();
	const dialog = admin.getByRole('dialog', { name: 'Compare pictures' });
	await expect(dialog.getByLabel('Left')).toHaveValue(PICTURE);
	await dialog.getByLabel('Left').selectOption({ label: 'add_hat_step: output_image' });
	const [right, left] = await dialog.getByRole('img').all();
	expect(await left!.getAttribute('src')).not.toBe(await right!.getAttribute('src'));
	await dialog.getByRole('slider').focus();
	await admin.keyboard.press('End');
	await expect(left!).toHaveCSS('clip-path', 'inset(0px 0% 0px 0px)');
	await admin.keyboard.press('Home');
	await expect(left!).toHaveCSS('clip-path', 'inset(0px 100% 0px 0px)');
});

test('a link that has expired says so', async ({ admin, rest, faults }) => {
	const world = await rest.world();
	const job = await rest.run(world.workflow, { input_image: PICTURE });
	await admin.route('https://replicate.delivery/**', (route) => route.fulfill({ status: 404 }));
	await admin.goto(`/jobs/${job.id}`);
	await expect(admin.getByRole('region', { name: 'Output', exact: true })).toContainText('The provider’s link may have expired');
	await expect(admin.getByRole('region', { name: 'Output', exact: true }).getByRole('link', { name: /^output_image/ })).toBeVisible();
	faults.length = 0;
});

test('the calls of a step are shown without its secret', async ({ admin, rest }) => {
	const world = await rest.world();
	const job = await rest.run(world.workflow, { input_image: PICTURE });
	expect(job.status).toBe('completed');
	await admin.goto(`/jobs/${job.id}`);
	const step = admin.getByRole('list', { name: 'Steps' }).locator('> li').first();
	await step.locator('summary').first().click();
	await expect(step.getByRole('img', { name: 'output_image' })).toBeVisible();
	await step.getByRole('tabpanel', { name: 'Output' }).getByText('JSON', { exact: true }).click();
	await expect(step.getByRole('region', { name: 'Output of add_hat_step as JSON' })).toContainText('"output_image"');
	await step.getByRole('tab', { name: 'Calls' }).click();
	await step.getByText('submit', { exact: true }).click();
	const request = step.getByRole('region', { name: 'Request of call 1' });
	await expect(request).toContainText('flux-kontext-pro/predictions');
	await expect(request).toContainText('E2E_REPLICATE_TOKEN');
	expect(await admin.content()).not.toContain(`r8_${world.unique}`);
});

test('a failed job says why', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.standIn({ end: 'failed' });
	const job = await rest.run(world.workflow, { input_image: PICTURE });
	expect(job.status).toBe('failed');
	await admin.goto(`/jobs/${job.id}`);
	await expect(admin.getByRole('alert')).toContainText('out of memory');
	await expect(admin.getByRole('list', { name: 'Steps' }).locator('> li')).toHaveCount(1);
});

test('a retried step shows its attempts while it waits and afterwards', async ({ admin, rest }) => {
	const world = await rest.world();
	const retried = structuredClone(workflow(world));
	retried.nodes.value.modules = retried.nodes.value.modules.slice(0, 1);
	Object.assign(retried.nodes.value.modules[0]!, { retry: { constant: { attempts: 1, seconds: 5 } } });
	await rest.call('PUT', `/workflows/${world.workflow}`, retried);
	await rest.standIn({ fail_predictions: 1 });
	const { id } = await rest.call<Job>('POST', `/workflow/${world.workflow}/run`, { input: { input_image: PICTURE } });
	await admin.goto(`/jobs/${id}`);
	const step = admin.getByRole('list', { name: 'Steps' }).locator('> li');
	await expect(step).toContainText('retrying');
	await expect(step).toContainText(/next attempt (in \d s|is due)/);
	await expect(step).toContainText('completed', { timeout: 15_000 });
	await expect(step).toContainText('attempt 2');
	await expect(admin.getByText('1 retry')).toBeVisible();
});

test('a running job is cancelled after a question about its cost', async ({ admin, rest }) => {
	const world = await rest.world();
	const priced = node(world);
	await rest.call('PUT', `/nodes/${world.node}`, { ...priced, data: { ...priced.data, price: { per_call: '0.04', currency: 'USD' } } });
	await rest.standIn({ delay_ms: 600_000 });
	const { id } = await rest.call<Job>('POST', `/workflow/${world.workflow}/run`, { input: { input_image: PICTURE } });
	await admin.goto(`/jobs/${id}`);
	const step = admin.getByRole('list', { name: 'Steps' }).locator('> li');
	await expect(step).toContainText('running');
	await expect(admin.getByText('live', { exact: true })).toBeVisible();
	await expect(admin).toHaveTitle(/^▶ 0\/2 /);
	await admin.getByRole('button', { name: 'Cancel' }).click();
	const dialog = admin.getByRole('alertdialog');
	await expect(dialog.getByRole('list', { name: 'Calls that may still be billed' })).toContainText(/add_hat_step.*0.04 USD per call/);
	await dialog.getByRole('button', { name: 'Keep running' }).click();
	await expect(dialog).toHaveCount(0);
	await expect(admin.getByRole('status')).toContainText('running');
	await admin.getByRole('button', { name: 'Cancel' }).click();
	await dialog.getByRole('button', { name: 'Cancel the job' }).click();
	await expect(admin.getByRole('status')).toContainText('cancelled');
	await expect(step).toContainText('cancelled');
	await admin.getByRole('button', { name: 'Delete' }).click();
	await admin.getByRole('alertdialog').getByRole('button', { name: 'Delete' }).click();
	await expect(admin).toHaveURL('/jobs');
});

test('an input error is shown at its field', async ({ admin, rest, faults }) => {
	const world = await rest.world();
	await admin.goto(`/workflows/${world.workflow}/run`);
	await admin.getByLabel('input_image').fill(PICTURE);
	await admin.getByLabel('strength').fill('0');
	await admin.getByRole('button', { name: 'Run' }).click();
	await expect(admin.getByLabel('strength')).toHaveAttribute('aria-invalid', 'true');
	await expect(admin.getByText('value is less than or equal to the minimum of 0', { exact: true })).toBeVisible();
	expectRefusal(faults, 422);
});

/** A workflow that calls the node once for each item of its input, and goes on after failures. */
function loop({ node, unique }: World) {
	const call = { id: 'draw', value: { type: 'script', path: `node/${node}`, input_transforms: { prompt: { type: 'javascript', expr: '`${flow_input.iter.value}`' }, input_image: { type: 'static', value: PICTURE } } } };
	const iterator = { type: 'javascript', expr: 'flow_input.items' };
	return { summary: `Loop ${unique}`, value: { modules: [{ id: 'each', value: { type: 'forloopflow', parallel: true, parallelism: 10, skip_failures: true, iterator, modules: [call] } }] } };
}

test('a loop shows all its iterations, with the failed ones marked', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.standIn({ skip_creates: 3, fail_predictions: 2, delay_ms: 50 });
	const { id } = await rest.call<Job>('POST', '/workflows/run', { document: loop(world), input: { items: Array.from({ length: 50 }, (_, index) => index) } });
	await admin.goto(`/jobs/${id}`);
	await expect(admin.getByRole('status').first()).toContainText('completed', { timeout: 30_000 });
	const graph = admin.getByRole('region', { name: 'Graph of the job' });
	await expect(graph.getByText('2 failed', { exact: true })).toBeVisible();
	await expect(graph.locator('[data-index]')).toHaveCount(50);
	await expect(graph.getByText(/50 times, 2 failed/)).toBeVisible();
	const failed = await graph.getByRole('combobox').locator('option', { hasText: 'failed' }).first().getAttribute('value');
	await graph.getByRole('combobox').selectOption(failed);
	await expect(graph.locator('.svelte-flow__node', { hasText: 'draw' })).toContainText('failed');
	await expect(admin.getByRole('list', { name: 'Steps' }).locator('> li')).toHaveCount(51);
});

test('a sub-flow is opened in the graph of its job', async ({ admin, rest }) => {
	const world = await rest.world();
	const call = { id: 'make', value: { type: 'flow', path: `workflow/${world.workflow}`, input_transforms: { input_image: { type: 'static', value: PICTURE } } } };
	const { id } = await rest.call<Job>('POST', '/workflows/run', { document: { summary: 'Outer', value: { modules: [call] } }, input: {} });
	await admin.goto(`/jobs/${id}`);
	await expect(admin.getByRole('status').first()).toContainText('completed');
	const graph = admin.getByRole('region', { name: 'Graph of the job' });
	await graph.getByRole('button', { name: 'Show the steps of make' }).click();
	const inner = graph.locator('.svelte-flow__node-card', { hasText: 'Make this a 90s cartoon' });
	await expect(inner).toContainText('done');
	await inner.click();
	await expect(admin.getByRole('region', { name: /^cartoon_step, make #1/ })).toBeVisible();
	await graph.getByRole('button', { name: 'Hide the steps of make' }).click();
	await expect(inner).toHaveCount(0);
	await expect(graph.locator('.svelte-flow__node-card', { hasText: 'make' })).toContainText('done');
});

test('the log of a provider is streamed and searched, and steps are gone through', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.standIn({ delay_ms: 3000 });
	const { id } = await rest.call<Job>('POST', `/workflow/${world.workflow}/run`, { input: { input_image: PICTURE } });
	await admin.goto(`/jobs/${id}`);
	await admin.getByRole('list', { name: 'Working now' }).getByRole('button', { name: 'add_hat_step' }).click();
	const step = admin.getByRole('region', { name: 'add_hat_step', exact: true });
	await step.getByRole('tab', { name: 'Log' }).click();
	const log = step.getByRole('region', { name: 'Log of add_hat_step' });
	await expect(log).toContainText('%|');
	await expect(step.getByRole('button', { name: 'Previous step' })).toBeDisabled();
	await expect(log).toContainText('100%|', { timeout: 10_000 });
	await step.getByLabel('Search the log').fill('no such line');
	await expect(log).toHaveText('No line matches.');
	await step.getByRole('button', { name: 'Next step' }).click();
	await expect(admin.getByRole('region', { name: 'cartoon_step', exact: true })).toBeVisible();
});

test('work whose provider has no list is not looked up again', async ({ admin, rest, faults }) => {
	const job = await unknownJob(rest);
	await admin.goto(`/jobs/${job.id}`);
	const step = admin.getByRole('list', { name: 'Steps' }).locator('> li').first();
	await step.locator('summary').first().click();
	await step.getByRole('button', { name: 'Look again' }).click();
	await expect(step.getByRole('alert')).toContainText("can't be asked");
	await expect(step.getByRole('alert')).toContainText('Look for the work on the provider');
	expectRefusal(faults, 409);
	// The job does not wait for what nobody can tell it, and nothing is paid again.
	await expect(admin.getByRole('status').first()).toContainText('failed');
	expect(await rest.prompts()).toHaveLength(1);
});

test('a large output stays on the server until it is asked for', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.call('PUT', `/nodes/${world.node}`, { ...node(world), output: [{ name: 'text', type: 'string', mapping: 'output' }] });
	await rest.standIn({ output: 'two words '.repeat(90_000) });
	const { id } = await rest.call<Job>('POST', `/node/${world.node}/run`, { input: { prompt: 'long', input_image: PICTURE } });
	await expect.poll(async () => (await rest.call<Job>('GET', `/jobs/${id}`)).status).toBe('completed');
	const sizes: number[] = [];
	admin.on('response', async (response) => {
		if (response.url().includes(`/api/v1/jobs/${id}`)) sizes.push((await response.body().catch(() => Buffer.from(''))).length);
	});
	await admin.goto(`/jobs/${id}`);
	const output = admin.getByRole('region', { name: 'Output', exact: true });
	await output.getByText('JSON', { exact: true }).click();
	await expect(output.getByRole('region', { name: 'Output of the job' })).toContainText('(900000 bytes)');
	expect(Math.max(...sizes)).toBeLessThan(100_000);
	await output.getByRole('button', { name: 'Load all' }).click();
	await expect(output.getByRole('button', { name: /Show all 900,0\d\d characters/ })).toBeVisible();
	expect(Math.max(...sizes)).toBeGreaterThan(900_000);
});

test('a picture at an http address of a permitted host is shown through the server', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.standIn({ delivery: 'local' });
	const job = await rest.run(world.workflow, { input_image: PICTURE });
	expect((job.output as { output_image: string }).output_image).toMatch(/^http:/);
	await admin.goto(`/jobs/${job.id}`);
	const picture = admin.getByRole('region', { name: 'Output', exact: true }).getByRole('img', { name: 'output_image' });
	await expect.poll(() => picture.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBe(256);
	await expect(picture).toHaveAttribute('src', /\/api\/v1\/artifacts\//);
});

test('the page survives a lost stream and a server that is away', async ({ admin, rest, faults }) => {
	const world = await rest.world();
	await rest.standIn({ delay_ms: 2500 });
	const { id } = await rest.call<Job>('POST', `/workflow/${world.workflow}/run`, { input: { input_image: PICTURE } });
	await admin.route('**/events', (route) => route.abort());
	await admin.goto(`/jobs/${id}`);
	await expect(admin.getByText('reconnecting', { exact: true })).toBeVisible();
	await expect(admin.getByText('1 of 2 steps')).toBeVisible({ timeout: 10_000 });
	await admin.route(`**/api/v1/jobs/${id}?*`, (route) => route.abort());
	await expect(admin.getByRole('alert')).toContainText('may be out of date', { timeout: 15_000 });
	await expect(admin.getByText('1 of 2 steps')).toBeVisible();
	await admin.unrouteAll();
	await expect(admin.getByRole('status').first()).toContainText('completed', { timeout: 15_000 });
	await expect(admin.getByRole('alert')).toHaveCount(0);
	faults.length = 0;
});

test('jobs are filtered by status and by workflow', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.run(world.workflow, { input_image: PICTURE });
	await admin.goto(`/jobs?workflow=${world.workflow}`);
	const rows = admin.getByRole('list', { name: 'Jobs' }).getByRole('listitem');
	await expect(rows).toHaveCount(1);
	await admin.getByLabel('Status').selectOption('failed');
	await expect(admin.getByRole('heading', { name: 'No matching jobs' })).toBeVisible();
	await admin.getByLabel('Status').selectOption('completed');
	await expect(rows).toHaveCount(1);
});

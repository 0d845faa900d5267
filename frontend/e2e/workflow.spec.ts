import { expect, expectRefusal, openEditor, PICTURE, test, workflow, write } from './fixtures.ts';

test('a workflow shows its graph, and selecting a step shows its details and its place in the text', async ({ admin, rest }) => {
	const world = await rest.world();
	await openEditor(admin, world.workflow);
	const graph = admin.getByRole('region', { name: 'Workflow graph' });
	await expect(graph.getByText('Add a Hat to person')).toBeVisible();
	await expect(graph.locator('.svelte-flow__edge')).not.toHaveCount(0);
	await graph.getByText('Make this a 90s cartoon').click();
	const details = admin.getByRole('complementary', { name: 'Details' });
	await expect(details.getByLabel('Summary of the step')).toHaveValue('Make this a 90s cartoon');
	await expect(details.getByRole('textbox', { name: 'Expression of input_image' })).toHaveText('results.add_hat_step.output_image');
	await expect(admin.locator('.cm-activeLine').first()).toContainText('{');
});

test('errors are shown while typing: in the text, in the list and on the card', async ({ admin, rest }) => {
	const world = await rest.world();
	await openEditor(admin, world.workflow);
	await expect(admin.getByRole('region', { name: 'Workflow graph' }).getByText('Add a Hat to person')).toBeVisible();
	await expect(admin.locator('.cm-lintRange-error')).toHaveCount(0);

	const broken = structuredClone(workflow(world));
	broken.nodes.value.modules[1]!.value.input_transforms.input_image.expr = 'results.add_hat_stepp.output_image';
	broken.nodes.value.modules[0]!.value.path = 'node/no_such_node';
	await write(admin, 'workflow JSON', broken);

	await admin.getByRole('button', { name: '2 errors' }).click();
	await expect(admin.getByRole('button', { name: /add_hat_stepp/ })).toBeVisible();
	await expect(admin.locator('.cm-lintRange-error', { hasText: 'node/no_such_node' })).toBeVisible();
	await expect(admin.getByTitle('1 error', { exact: true })).toHaveCount(2);

	await write(admin, 'workflow JSON', workflow(world));
	await expect(admin.locator('.cm-lintRange-error')).toHaveCount(0);
});

test('the graph follows the text', async ({ admin, rest }) => {
	const world = await rest.world();
	await openEditor(admin, world.workflow);
	const graph = admin.getByRole('region', { name: 'Workflow graph' });
	await expect(graph.getByText('Add a Hat to person')).toBeVisible();
	const changed = structuredClone(workflow(world));
	changed.nodes.value.modules[0]!.summary = 'Another hat';
	await write(admin, 'workflow JSON', changed);
	await expect(graph.getByText('Another hat')).toBeVisible();
	await admin.keyboard.press('ControlOrMeta+s');
	await expect(admin.getByText('Saved', { exact: true })).toBeVisible();
});

test('leaving with unsaved changes asks first', async ({ admin, rest }) => {
	const world = await rest.world();
	await openEditor(admin, world.workflow);
	await write(admin, 'workflow JSON', { name: 'half' });
	const leave = async (answer: 'accept' | 'dismiss') => {
		const asked = admin.waitForEvent('dialog');
		// The click resolves only after the dialog is answered.
		const click = admin.getByRole('link', { name: 'Jobs' }).click();
		await (await asked)[answer]();
		await click;
	};
	await leave('dismiss');
	await expect(admin).toHaveURL(`/workflows/${world.workflow}`);
	await leave('accept');
	await expect(admin).toHaveURL('/jobs');
});

test('a workflow with errors is saved but not run, and the run says why', async ({ admin, rest, faults }) => {
	const world = await rest.world();
	const broken = structuredClone(workflow(world));
	broken.nodes.value.modules[0]!.value.path = 'node/no_such_node';
	await rest.call('PUT', `/workflows/${world.workflow}`, broken);
	await admin.goto(`/workflows/${world.workflow}/run`);
	await admin.getByLabel('input_image').fill('https://replicate.delivery/in/person.png');
	await admin.getByRole('button', { name: 'Run' }).click();
	await expect(admin.getByRole('alert')).toContainText('no_such_node');
	expectRefusal(faults, 422);
});

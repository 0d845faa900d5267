import type { Locator } from '@playwright/test';
import { expect, test, workflow } from './fixtures.ts';
import { straightWorkflow } from './large-workflows.ts';

/** Whether two elements lie over each other. */
async function overlap(one: Locator, other: Locator): Promise<boolean> {
	const [a, b] = [(await one.boundingBox())!, (await other.boundingBox())!];
	return a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
}

for (const width of [1280, 390]) {
	test(`a message covers neither the findings nor the actions of the editor, ${width} px wide`, async ({ admin, rest }) => {
		await admin.setViewportSize({ width, height: 800 });
		const world = await rest.world();
		const broken = structuredClone(workflow(world));
		Object.assign(broken.nodes.value.modules[0]!.value.input_transforms, { input_image: { type: 'javascript', expr: 'results.nothing.picture' } });
		await rest.call('PUT', `/workflows/${world.workflow}`, broken);
		await rest.call('POST', '/connectors', { id: `spare_${world.unique}`, name: `Spare ${world.unique}`, base_url: 'https://a.example' });
		// The message of an earlier page is still shown when the next page opens.
		await admin.goto(`/connectors?q=${world.unique}`);
		await admin.getByRole('button', { name: `Edit Spare ${world.unique}` }).click();
		await admin.getByRole('dialog').getByLabel('Name', { exact: true }).fill(`Spare part ${world.unique}`);
		await admin.getByRole('dialog').getByRole('button', { name: 'Save' }).click();
		const message = admin.getByRole('listitem').filter({ hasText: `Saved Spare part ${world.unique}.` });
		await expect(message).toBeVisible();
		await message.hover();
		for (const name of ['New connector', 'Add from the library']) expect(await overlap(message, admin.getByRole('main').getByText(name)), name).toBe(false);
		for (const label of ['Search connectors', 'State', 'Order']) expect(await overlap(message, admin.getByLabel(label)), label).toBe(false);
		await admin.keyboard.press('Control+k');
		await admin.getByRole('dialog').getByRole('combobox').fill(`Cartoon ${world.unique}`);
		await admin.getByRole('option', { name: new RegExp(`Cartoon ${world.unique}`) }).first().click();
		const findings = admin.getByRole('region', { name: 'Findings' });
		await findings.getByRole('button', { name: /error/ }).click();
		await expect(message).toBeVisible();
		expect(await overlap(message, findings.locator('#findings'))).toBe(false);
		for (const name of ['Run', 'Save']) expect(await overlap(message, admin.getByRole('button', { name, exact: true })), name).toBe(false);
	});
}

test('a card of a long workflow shows its first steps at a readable size, and its box lies beside the name', async ({ admin, rest }) => {
	const world = await rest.world();
	await rest.call('POST', '/workflows', straightWorkflow(world, `long_${world.unique}`, 200));
	await admin.goto(`/workflows?q=${world.unique}&order=name`);
	const card = admin.getByRole('list', { name: 'Workflows' }).getByRole('listitem').filter({ hasText: 'Sequence of 200' });
	const step = card.locator('svg rect').nth(1);
	await expect(step).toBeVisible();
	const { width, height } = (await step.boundingBox())!;
	expect(width).toBeGreaterThan(20);
	expect(height).toBeGreaterThan(5);
	expect(await card.locator('svg rect').count()).toBeLessThan(20);
	const box = card.getByRole('checkbox');
	expect(await overlap(box, card.locator('svg').first())).toBe(false);
	await box.press('Space');
	await expect(admin.getByRole('button', { name: 'Delete 1' })).toBeVisible();
});

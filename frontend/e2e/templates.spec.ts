import { WORKFLOW_TEMPLATES, type WorkflowTemplate } from '../src/lib/workflow/workflow-templates.ts';
import { connector, expect, test } from './fixtures.ts';

/** A kept file, as the page sends it. A dry run does not read it. */
const FILE = { artifact: 'a1', url: '/api/v1/artifacts/a1', mime: 'image/png', size_bytes: 68, sha256: '0'.repeat(64), name: null };

/** An input for each property that has no default. */
function inputOf({ document }: WorkflowTemplate): Record<string, unknown> {
	const { properties } = document.schema as { properties: Record<string, { type: unknown; format?: string; default?: unknown }> };
	const given = Object.entries(properties).filter(([, property]) => property.default === undefined);
	return Object.fromEntries(given.map(([name, { type, format }]) => [name, type === 'array' ? [FILE] : format && format !== 'textarea' ? FILE : 'A lighthouse in a storm']));
}

test('each template is created from the dialog, opens without errors and completes a dry run', async ({ admin, rest }) => {
	test.setTimeout(180_000);
	const before = await rest.call<{ items: { id: string }[] }>('GET', '/workflows?limit=500');
	const present = new Set(before.items.map(({ id }) => id));
	// What is missing otherwise is the key of a provider.
	for (const name of ['BFL_API_KEY', 'ELEVENLABS_API_KEY', 'FAL_KEY', 'OPENAI_API_KEY', 'REPLICATE_API_TOKEN', 'STABILITY_API_KEY']) await rest.call('PUT', `/secrets/${name}`, { value: 'key-of-a-provider' });
	await admin.goto('/workflows');
	for (const template of WORKFLOW_TEMPLATES) {
		await admin.getByRole('button', { name: 'New workflow' }).first().click();
		await admin.getByRole('dialog', { name: 'New workflow' }).getByRole('button', { name: new RegExp(`^${template.name}`) }).click();
		await expect(admin).toHaveURL(/\/workflows\/[^/?]+$/);
		await expect(admin.locator('.svelte-flow__node-card').first(), template.name).toBeVisible();
		const findings = admin.getByRole('region', { name: 'Findings' }).getByRole('status');
		await expect(findings, template.name).toHaveText(/problems|warning|hint/);
		await expect(findings, template.name).not.toContainText('error');
		const { status, error } = await rest.call<{ status: string; error: unknown }>('POST', '/workflows/dry_run', { document: template.document, input: inputOf(template) });
		expect([status, error], template.name).toEqual(['completed', null]);
		await admin.getByRole('link', { name: 'Workflows', exact: true }).first().click();
		await expect(admin.getByRole('heading', { level: 1, name: 'Workflows' })).toBeVisible();
	}
	// Other tests count what is listed.
	const after = await rest.call<{ items: { id: string }[] }>('GET', '/workflows?limit=500');
	for (const { id } of after.items) if (!present.has(id)) await rest.remove(`/workflows/${id}`);
});

test('the key of a provider that a workflow misses is set from its finding', async ({ admin, rest }) => {
	const world = await rest.world();
	const name = `KEY_${world.unique}`.toUpperCase();
	await rest.call('PUT', `/connectors/${world.connector}`, { ...connector(world), header: { Authorization: `Bearer $${name}` } });
	await admin.goto(`/workflows/${world.workflow}`);
	const findings = admin.getByRole('region', { name: 'Findings' });
	await findings.getByRole('button', { name: '1 error' }).click();
	await findings.getByRole('button', { name: `Set ${name}` }).click();
	const dialog = admin.getByRole('dialog', { name: 'New secret' });
	await dialog.getByLabel('Value').fill('key-of-a-provider');
	await dialog.getByRole('button', { name: 'Save' }).click();
	await expect(findings.getByRole('status')).toHaveText('No problems found');
});

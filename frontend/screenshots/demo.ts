import type { Rest } from '../e2e/fixtures.ts';
import type { Exhibits } from '../e2e/scenes.ts';
import type { Job } from '../e2e/types.ts';
import { WORKFLOW_TEMPLATES } from '../src/lib/workflow/workflow-templates.ts';
import { campaignWorkflow } from './campaign.ts';
import { branchedWorkflow, straightWorkflow } from '../e2e/large-workflows.ts';

/** Ids of the workflows of 20 and 200 steps. */
export const LARGE = { twenty: 'campaign', sequence: 'sequence-of-200', branches: 'branches-of-200' };

const ENDED = ['completed', 'failed', 'cancelled'];

/** Waits until a job has one of these states. */
async function waitFor(rest: Rest, { id }: Job, statuses: readonly string[]): Promise<Job> {
	for (let turn = 0; turn < 240; turn++) {
		const job = await rest.call<Job>('GET', `/jobs/${id}`);
		if (statuses.includes(job.status) || ENDED.includes(job.status)) return job;
		await new Promise((resolve) => setTimeout(resolve, 250));
	}
	throw new Error(`job ${id} did not become ${statuses.join(' or ')}`);
}

/** Creates what the pictures show, unless an earlier process has done so. The demo has the nodes of the library. */
async function createDocuments(rest: Rest): Promise<void> {
	const { items } = await rest.call<{ items: { id: string }[] }>('GET', '/workflows?limit=100');
	const present = new Set(items.map(({ id }) => id));
	if (present.has(LARGE.branches)) return;
	const world = { connector: 'replicate', node: 'replicate_flux_kontext_pro_node_id', workflow: '', unique: '' };
	const workflows = [
		...WORKFLOW_TEMPLATES.map(({ id, name, description, document }) => ({ id, name, description, nodes: document })),
		{ id: LARGE.twenty, ...campaignWorkflow() },
		straightWorkflow(world, LARGE.sequence, 200),
		branchedWorkflow(world, LARGE.branches, 200)
	];
	for (const workflow of workflows) if (!present.has(workflow.id)) await rest.call('POST', '/workflows', { ...workflow, name: workflow.name.trim() });
	for (const username of ['ada', 'grace']) await rest.call('POST', '/users', { username, password: 'correct horse battery', email: `${username}@example.com` });
	await rest.call('PUT', '/budgets/video', { name: 'video', scope: 'all', period: 'month', amount: '50', currency: 'USD' }).catch(() => null);
}

/** The jobs of the pictures, and what else the scenes show. */
export async function prepareDemo(rest: Rest): Promise<Exhibits> {
	await createDocuments(rest);
	const start = (workflow: string, input: object) => rest.call<Job>('POST', `/workflow/${workflow}/run`, { input });
	const portrait = await waitFor(rest, await rest.call<Job>('POST', '/node/stability-core/run', { input: { prompt: 'Portrait of a person' } }), ENDED);
	const { image } = portrait.output as { image: unknown };
	const broken = { summary: 'Broken expression', value: { modules: [{ id: 'pick', value: { type: 'identity' }, stop_after_if: { expr: 'result.missing.field' } }] } };
	const started = [
		await start('hat-and-cartoon', { input_image: image }),
		await start('text-to-video', { prompt: 'A lighthouse in a storm' }),
		await start('narrated-story', { story: 'Once upon a time there was a lighthouse.', cover: 'A lighthouse at night' }),
		await start('provider-race', { prompt: 'A red bicycle' }),
		await start(LARGE.twenty, { product: 'A red bicycle', markets: ['Berlin', 'Lisbon'], voice: 'Rachel' }),
		await rest.call<Job>('POST', '/workflows/run', { document: broken, input: {} })
	];
	const [hat, , , , campaign, failed] = await Promise.all(started.map((job) => waitFor(rest, job, ENDED)));
	const suspended = await waitFor(rest, await start('approval-before-video', { prompt: 'A lighthouse in a storm' }), ['suspended']);
	if (!hat || !campaign || !failed) throw new Error('a job is missing');
	return {
		connector: { id: 'replicate', name: 'Replicate' },
		node: { id: 'replicate-flux-kontext-pro', name: 'FLUX.1 Kontext [pro]' },
		workflow: { id: 'hat-and-cartoon', name: 'Hat and cartoon', steps: ['Add a hat', 'Make a cartoon'] },
		jobs: {
			completed: hat.id,
			failed: failed.id,
			suspended: suspended.id,
			running: async () => {
				const job = await start('text-to-video', { prompt: 'A lighthouse in a storm' });
				await new Promise((resolve) => setTimeout(resolve, 300));
				return job.id;
			}
		},
		changeWorkflow: async () => {
			const { id, name, document } = WORKFLOW_TEMPLATES[0]!;
			const description = `Changed by another user at ${new Date().toISOString()}`;
			await rest.call('PUT', `/workflows/${id}`, { id, name, description, nodes: document });
		}
	};
}

import { randomBytes } from 'node:crypto';
import { test as base, expect, type APIRequestContext, type Page } from '@playwright/test';
import type { Job, LoginReply } from './types.ts';

export { expect } from '@playwright/test';

function setting(name: string): string {
	const value = process.env[name];
	if (!value) throw new Error(`${name} is not set; see "End-to-end tests" in frontend/README.md`);
	return value;
}

/** URL of the stand-in for Replicate. */
function standIn(): string {
	return new URL(setting('FAKE_REPLICATE_URL')).origin;
}

/** A one-pixel image, served for URLs that do not exist. */
export const PIXEL = Buffer.from(
	'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
	'base64'
);

/** REST API client of the admin. */
export class Rest {
	readonly #request: APIRequestContext;
	readonly #token: string;

	constructor(request: APIRequestContext, token: string) {
		this.#request = request;
		this.#token = token;
	}

	/** Calls a route under `/api/v1` and returns the body of a success. */
	async call<T>(method: string, path: string, data?: unknown): Promise<T> {
		const reply = await this.#request.fetch(`/api/v1${path}`, {
			method,
			data,
			headers: { Authorization: `Bearer ${this.#token}` }
		});
		expect(reply.ok(), `${method} ${path}: ${reply.status()} ${reply.ok() ? '' : await reply.text()}`).toBe(true);
		return (reply.status() === 204 ? undefined : await reply.json()) as T;
	}

	/** Deletes a document if it exists. */
	async remove(path: string): Promise<void> {
		const reply = await this.#request.delete(`/api/v1${path}`, { headers: { Authorization: `Bearer ${this.#token}` } });
		expect([204, 404], await reply.text()).toContain(reply.status());
	}

	/** Leads a connector of the library to the stand-in, and lets its secret be sent there. */
	async redirectToStandIn(connector: string, secret: string, value: string): Promise<void> {
		const saved = await this.call<{ header: object; data: object; name: string; method: string }>('GET', `/connectors/${connector}`);
		const { name, method, header, data } = saved;
		await this.call('PUT', `/connectors/${connector}`, { id: connector, name, method, header, data, base_url: `${standIn()}/v1` });
		await this.call('PUT', `/secrets/${secret}`, { value, origins: [standIn()] });
	}

	/** Sets the behaviour of the stand-in for Replicate. */
	async standIn(behaviour: object): Promise<void> {
		const reply = await this.#request.post(`${standIn()}/_control`, { data: behaviour });
		expect(reply.ok(), await reply.text()).toBe(true);
	}

	/** Inputs of all predictions since the last reset. */
	async prompts(): Promise<string[]> {
		const reply = await this.#request.get(`${standIn()}/_control/stats`);
		const { create_calls } = (await reply.json()) as { create_calls: { body: { input: { prompt: string } } }[] };
		return create_calls.map(({ body }) => body.input.prompt);
	}

	/** Resets the behaviour set by earlier tests. */
	async calm(): Promise<void> {
		const reply = await this.#request.post(`${standIn()}/_control/reset`);
		expect(reply.ok(), await reply.text()).toBe(true);
		await this.standIn({ delay_ms: 200 });
	}

	/** Creates a connector to the stand-in, a node, and a workflow that calls the node twice. */
	async world(): Promise<World> {
		const unique = randomBytes(4).toString('hex');
		const world = { connector: `c_${unique}`, node: `n_${unique}`, workflow: `w_${unique}`, unique };
		await this.call('PUT', '/secrets/E2E_REPLICATE_TOKEN', { value: `r8_${unique}` });
		await this.call('POST', '/connectors', connector(world));
		await this.call('POST', '/nodes', node(world));
		await this.call('POST', '/workflows', workflow(world));
		return world;
	}

	/** Runs a document and waits until it is suspended for approvals. */
	async suspend(document: object, input: object): Promise<Job> {
		const { id } = await this.call<Job>('POST', '/workflows/run', { document, input });
		await expect.poll(async () => (await this.call<Job>('GET', `/jobs/${id}`)).status).toBe('suspended');
		return this.call('GET', `/jobs/${id}`);
	}

	/** Runs a workflow and waits until it ends. */
	run(workflow: string, input: object): Promise<Job> {
		return this.#waited(`/workflow/${workflow}/run`, { input });
	}

	async #waited(path: string, data: object): Promise<Job> {
		const reply = await this.#request.post(`/api/v1${path}`, {
			data,
			headers: { Authorization: `Bearer ${this.#token}`, Prefer: 'wait=30' }
		});
		expect(reply.status(), await reply.text()).toBe(200);
		return (await reply.json()) as Job;
	}
}

/** Ids of the documents created by a test. */
export interface World {
	connector: string;
	node: string;
	workflow: string;
	unique: string;
}

export const PICTURE = 'https://replicate.delivery/in/person.png';

export function connector({ connector, unique }: World) {
	return {
		id: connector,
		name: `Replicate ${unique}`,
		base_url: `${standIn()}/v1`,
		method: 'POST',
		header: { Authorization: 'Bearer $E2E_REPLICATE_TOKEN' }
	};
}

export function node({ connector, node, unique }: World) {
	return {
		id: node,
		name: `Flux ${unique}`,
		description: 'Edits a picture',
		connector_id: connector,
		input: [
			{ name: 'prompt', type: 'string', required: true, description: 'What to change' },
			{ name: 'input_image', type: 'string', required: true }
		],
		output: [{ name: 'output_image', type: 'string', mapping: 'output' }],
		data: {
			path: '/models/black-forest-labs/flux-kontext-pro/predictions',
			body: { input: '{{ input }}' },
			operation: 'replicate'
		}
	};
}

function step(id: string, node: string, prompt: string, image: string) {
	return {
		id,
		summary: prompt,
		value: {
			type: 'script',
			path: `node/${node}`,
			input_transforms: {
				prompt: { type: 'static', value: prompt },
				input_image: { type: 'javascript', expr: image }
			}
		}
	};
}

export function workflow({ workflow, node, unique }: World) {
	return {
		id: workflow,
		name: `Cartoon ${unique}`,
		description: 'Adds a hat, then makes a cartoon',
		nodes: {
			summary: `Cartoon ${unique}`,
			schema: {
				type: 'object',
				properties: {
					input_image: { type: 'string', description: 'Address of the picture' },
					style: { type: 'string', enum: ['cartoon', 'vintage'], default: 'cartoon' },
					// The page leaves this rule to the server.
					strength: { type: 'integer', exclusiveMinimum: 0 },
					options: { type: 'object' }
				},
				required: ['input_image']
			},
			value: {
				modules: [
					step('add_hat_step', node, 'Add a Hat to person', 'flow_input.input_image'),
					step('cartoon_step', node, 'Make this a 90s cartoon', 'results.add_hat_step.output_image')
				]
			}
		}
	};
}

/** A document that asks for approval of all images in parallel, and then changes each according to its approval. */
export function gated({ node, unique }: World, suspend: object) {
	const ask = { id: 'ask', summary: 'Ask', value: { type: 'identity' }, suspend };
	const change = step('change', node, '', 'flow_input.iter.value');
	Object.assign(change.value.input_transforms, { prompt: { type: 'javascript', expr: 'resume.note' } });
	const iterator = { type: 'javascript', expr: 'flow_input.pictures' };
	return {
		summary: `Gated ${unique}`,
		schema: { type: 'object', properties: { pictures: { type: 'array' } }, required: ['pictures'] },
		value: {
			modules: [{ id: 'each', value: { type: 'forloopflow', parallel: true, iterator, modules: [ask, change] } }]
		}
	};
}

/** A job that failed because the connection broke during a call that can't be looked up later. */
export async function unknownJob(rest: Rest): Promise<Job> {
	const world = await rest.world();
	const { operation, ...data } = node(world).data;
	expect(operation).toBe('replicate');
	await rest.call('PUT', `/nodes/${world.node}`, { ...node(world), output: [], data });
	const single = structuredClone(workflow(world));
	single.nodes.value.modules = single.nodes.value.modules.slice(0, 1);
	await rest.call('PUT', `/workflows/${world.workflow}`, single);
	await rest.standIn({ drop_after_accept: 1 });
	const job = await rest.run(world.workflow, { input_image: PICTURE });
	expect(job.error?.name).toBe('submit_unknown');
	return job;
}

/** Returns a picture of a person, drawn by the stand-in. */
export async function makePortrait(request: APIRequestContext): Promise<Buffer> {
	const model = `${standIn()}/v1/models/black-forest-labs/flux-schnell/predictions`;
	const headers = { Authorization: 'Bearer r8_portrait', Prefer: 'wait' };
	const reply = await request.post(model, { data: { input: { prompt: 'Portrait of a person' } }, headers });
	expect(reply.ok(), await reply.text()).toBe(true);
	const { output } = (await reply.json()) as { output: string | string[] };
	return (await request.get(Array.isArray(output) ? output[0]! : output)).body();
}

/** The form of an approval. */
export const FORM = {
	schema: {
		type: 'object',
		properties: {
			note: { type: 'string', description: 'What to change' },
			score: { type: 'integer', exclusiveMaximum: 11 }
		},
		required: ['note']
	}
};

interface Fixtures {
	/** REST API client of the admin. */
	rest: Rest;
	/** A page logged in as the admin. */
	admin: Page;
	/** Errors and warnings in the console of the page. A test that expects one removes it from the list. */
	faults: string[];
}

export const credentials = () => ({ username: setting('APIFLOW_ADMIN_LOGIN'), password: setting('APIFLOW_ADMIN_PASSWORD') });

export const test = base.extend<Fixtures, { token: string }>({
	token: [
		async ({ playwright }, use) => {
			const request = await playwright.request.newContext({ baseURL: setting('APIFLOW_URL') });
			const reply = await request.post('/api/v1/login', { data: credentials() });
			expect(reply.ok(), await reply.text()).toBe(true);
			const { token } = (await reply.json()) as LoginReply;
			await use(token);
			await request.dispose();
		},
		{ scope: 'worker' }
	],
	rest: async ({ playwright, token }, use) => {
		const request = await playwright.request.newContext({ baseURL: setting('APIFLOW_URL') });
		const rest = new Rest(request, token);
		await rest.calm();
		await use(rest);
		await request.dispose();
	},
	faults: [
		async ({ page }, use) => {
			const faults: string[] = [];
			page.on('pageerror', (error) => faults.push(error.stack ?? error.message));
			page.on('console', (message) => {
				if (['error', 'warning'].includes(message.type())) faults.push(`${message.text()} (${message.location().url})`);
			});
			await page.route('https://replicate.delivery/**', (route) => route.fulfill({ contentType: 'image/png', body: PIXEL }));
			await use(faults);
			expect(faults, 'errors and warnings in the console').toEqual([]);
		},
		{ auto: true }
	],
	admin: async ({ page }, use) => {
		const reply = await page.request.post('/api/v1/login', { data: credentials() });
		expect(reply.ok(), await reply.text()).toBe(true);
		await use(page);
	}
});

/** Removes the console error caused by an expected refusal. */
export function expectRefusal(faults: string[], status: number): void {
	const at = faults.findIndex((fault) => fault.includes(`status of ${status}`));
	expect(at, `a reply ${status} among ${JSON.stringify(faults)}`).toBeGreaterThanOrEqual(0);
	faults.splice(at, 1);
}

/** Replaces the text of the JSON editor. */
export async function write(page: Page, label: string | RegExp, value: unknown): Promise<void> {
	const editor = page.getByRole('textbox', { name: label });
	await editor.click();
	await page.keyboard.press('ControlOrMeta+a');
	await page.keyboard.press('Delete');
	await page.keyboard.insertText(typeof value === 'string' ? value : JSON.stringify(value, null, 2));
}

/** Opens the editor of a workflow with its text beside the graph. */
export async function openEditor(page: Page, workflow: string): Promise<void> {
	await page.goto(`/workflows/${workflow}`);
	await expect(page.locator('.svelte-flow__node').first()).toBeVisible();
	await page.getByRole('combobox', { name: 'View' }).selectOption('beside');
}

import { describe, expect, it } from 'vitest';
import { Core, type CatalogHandle, type CoreModule } from './core.ts';
import { DeclarationsCheck } from '#lib/documents/declarations-check.ts';

const catalog = { connectors: {}, nodes: {}, workflows: {} };
const checked = { diagnostics: [], layout: null };
const workflow = { text: '{}', pointer: '' };

/** A minimal module that traps: one function, `f`, with the body `unreachable`. */
const TRAP = new Uint8Array([
	0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 5, 1, 3, 0, 0, 11
]);

/** A module that notes its calls, whose catalogs answer a check with nothing found. */
function moduleOf(check: () => string, calls: string[] = []): CoreModule {
	class Handle implements CatalogHandle {
		constructor(text: string) {
			calls.push(`new ${text}`);
		}
		check(text: string, pointer: string) {
			calls.push(`check ${text} ${pointer}`);
			return check();
		}
		complete(text: string, pointer: string, expression: string, before: string) {
			calls.push(`complete ${[text, pointer, expression, before].join(' ')}`);
			return '{"replaced":0,"options":[]}';
		}
		free() {
			calls.push('free');
		}
	}
	return { CatalogHandle: Handle, layout: () => '{"nodes":[]}', version: () => '1' };
}

async function trapping(): Promise<CoreModule> {
	const { instance } = await WebAssembly.instantiate(TRAP);
	const trap = instance.exports.f as () => string;
	return { ...moduleOf(trap), layout: trap };
}

const sound = (calls: string[] = []) => moduleOf(() => JSON.stringify(checked), calls);

describe('Core', () => {
	it('returns a diagnostic after a trap and uses a new instance with the catalog for the next call', async () => {
		const instances: number[] = [];
		const calls: string[] = [];
		const core = new Core((instance) => {
			instances.push(instance);
			return instance === 0 ? trapping() : Promise.resolve(sound(calls));
		});
		expect(await core.check(workflow, catalog)).toMatchObject({ diagnostics: [{ code: 'core-failed', severity: 'warning' }], layout: null });
		expect(await core.check(workflow, catalog)).toEqual(checked);
		expect(instances).toEqual([0, 1]);
		expect(calls).toEqual([`new ${JSON.stringify(catalog)}`, 'check {} ']);
	});

	it('starts only one new instance after several calls hit the same trap', async () => {
		let started = 0;
		const core = new Core(() => (started++ === 0 ? trapping() : Promise.resolve(sound())));
		await Promise.all([core.check(workflow, catalog), core.layout({}, {}), core.check(workflow, catalog)]);
		expect(started).toBe(1);
		expect(await core.layout({}, {})).toEqual({ nodes: [] });
		expect(started).toBe(2);
	});

	it("reports why the module can't be loaded", async () => {
		const core = new Core(() => Promise.reject(new Error('no such file')));
		expect((await core.check(workflow, catalog)).diagnostics[0]?.message).toContain('no such file');
		expect(await core.layout({}, {})).toBeNull();
		expect(await core.complete(workflow, catalog, '/value', '')).toBeNull();
	});

	it('passes texts on unchanged, and a catalog once until there is another one', async () => {
		const calls: string[] = [];
		const core = new Core(() => Promise.resolve(sound(calls)));
		await core.check({ text: '{ "nodes": {} }', pointer: '/nodes' }, catalog);
		await core.complete({ text: '{}', pointer: '/nodes' }, catalog, '/value/x/expr', 'results.');
		await core.check(workflow, { ...catalog, workflows: { other: 1 } });
		expect(calls).toEqual([
			`new ${JSON.stringify(catalog)}`,
			'check { "nodes": {} } /nodes',
			'complete {} /nodes /value/x/expr results.',
			'free',
			'new {"connectors":{},"nodes":{},"workflows":{"other":1}}',
			'check {} '
		]);
	});
});

describe('DeclarationsCheck', () => {
	it('checks a node with the connectors', async () => {
		const check = new DeclarationsCheck(() =>
			Promise.resolve({ validate_connector: () => '[]', validate_node: (node, known) => JSON.stringify([{ message: node + known }]) })
		);
		expect(await check.validateConnector('{}')).toEqual([]);
		expect(await check.validateNode('{}', {})).toEqual([{ message: '{}{"connectors":{}}' }]);
	});

	it('returns a failure as a finding', async () => {
		const check = new DeclarationsCheck(() => Promise.reject(new Error('no such file')));
		expect(await check.validateConnector('{}')).toMatchObject([{ code: 'core-failed' }]);
	});
});

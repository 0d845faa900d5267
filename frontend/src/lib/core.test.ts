import { describe, expect, it } from 'vitest';
import { Core, type CoreModule } from './core.ts';

const catalog = { connectors: {}, nodes: {}, workflows: {} };

/** A minimal module that traps: one function, `f`, with the body `unreachable`. */
const TRAP = new Uint8Array([
	0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 5, 1, 1, 102, 0, 0, 10, 5, 1, 3, 0, 0, 11
]);

async function trapping(): Promise<CoreModule> {
	const { instance } = await WebAssembly.instantiate(TRAP);
	const trap = instance.exports.f as () => string;
	return { validate: trap, layout: trap, version: trap };
}

const sound: CoreModule = { validate: () => '[]', layout: () => '{"nodes":[]}', version: () => '1' };

describe('Core', () => {
	it('returns a diagnostic after a trap and uses a new instance for the next call', async () => {
		const instances: number[] = [];
		const core = new Core((instance) => {
			instances.push(instance);
			return instance === 0 ? trapping() : Promise.resolve(sound);
		});
		expect(await core.validate({}, catalog)).toMatchObject([{ code: 'core-failed', severity: 'warning' }]);
		expect(await core.validate({}, catalog)).toEqual([]);
		expect(instances).toEqual([0, 1]);
	});

	it('starts only one new instance after several calls hit the same trap', async () => {
		let started = 0;
		const core = new Core(() => (started++ === 0 ? trapping() : Promise.resolve(sound)));
		await Promise.all([core.validate({}, catalog), core.layout({}, {}), core.validate({}, catalog)]);
		expect(started).toBe(1);
		expect(await core.layout({}, {})).toEqual({ nodes: [] });
		expect(started).toBe(2);
	});

	it("reports why the module can't be loaded", async () => {
		const core = new Core(() => Promise.reject(new Error('no such file')));
		expect((await core.validate({}, catalog))[0]?.message).toContain('no such file');
		expect(await core.layout({}, {})).toBeNull();
	});

	it('passes documents on unchanged', async () => {
		const seen: string[] = [];
		const core = new Core(() => Promise.resolve({ ...sound, validate: (workflow, given) => (seen.push(workflow, given), '[]') }));
		await core.validate({ value: { modules: [] } }, catalog);
		expect(seen).toEqual(['{"value":{"modules":[]}}', JSON.stringify(catalog)]);
	});
});

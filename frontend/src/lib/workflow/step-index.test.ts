import { describe, expect, it } from 'vitest';
import { allModules, enclosingModules, visibleModules } from './modules.ts';
import { listPlaces } from './places.ts';
import { StepIndex } from './step-index.ts';

const step = (id: string) => ({ id, value: { type: 'identity' } });
const loop = (id: string, ...modules: unknown[]) => ({ id, value: { type: 'forloopflow', modules } });
const branch = (id: string, ...modules: unknown[]) => ({ id, value: { type: 'branchone', branches: [{ modules }], default: [step(`${id}_default`)] } });

const document = {
	value: {
		preprocessor_module: step('preprocessor'),
		modules: [step('a'), branch('b', step('c'), branch('d', step('e'), loop('f', step('g')))), loop('h', step('i'), branch('j', step('k'), step('l')), step('m')), step('n'), step('a')],
		failure_module: loop('o', step('p'), step('q'))
	}
};
const index = new StepIndex(document);
const modules = allModules(document);
const places = [...listPlaces(document), ...modules.map(({ pointer }) => pointer)];

describe('StepIndex', () => {
	it.each(places)('sees from %s what is before it', (place) => {
		const visible = new Set(visibleModules(document, place).map(({ module }) => module.id));
		const ids = new Set(modules.map(({ module }) => module.id!));
		expect(new Set([...ids].filter((id) => index.isVisible(id, place)))).toEqual(visible);
	});
	it.each(places)('knows what is around %s', (place) => {
		expect(index.enclosing(place)).toEqual(enclosingModules(document, place));
	});
	it('sees the steps inside of a loop from its head', () => {
		const inner = { pointer: '/value/modules/2', module: document.value.modules[2]! };
		expect(['a', 'i', 'k', 'm', 'n'].filter((id) => index.isVisibleInside(id, inner))).toEqual(['a', 'i', 'k', 'm']);
		expect(index.isVisibleInside('a', { pointer: '/value/modules/0', module: document.value.modules[0]! })).toBe(false);
	});
	it('knows what is in a loop', () => {
		expect(['/value/modules/2/value/iterator/expr', '/value/modules/2/value/modules/1/value/branches/0/modules/0', '/value/modules/2', '/value/modules/3'].map((at) => index.isInLoop(at))).toEqual([true, true, false, false]);
	});
});

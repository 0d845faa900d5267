import { expect, it } from 'vitest';
import { readPairs, writePairs } from './pairs.ts';

it.each([[{ a: 'x', n: 1, list: ['a'], gone: null }], [undefined]])('writes what it has read: %j', (value) => expect(writePairs(value, readPairs(value))).toEqual(value));

it('writes changed values as text, and no rows without a name', () => {
	expect([writePairs({ n: 1 }, [{ name: 'n', value: '2' }]), writePairs({}, [{ name: ' ', value: 'x' }])]).toEqual([{ n: '2' }, undefined]);
});

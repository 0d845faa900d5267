import { expect, it } from 'vitest';
import { listRecent, rememberRecent } from './recent-templates.ts';
import { CONTROL_STEPS } from './step-templates.ts';

function memory(content: string | null = null) {
	let text = content;
	return { getItem: () => text, setItem: (_: string, value: string) => void (text = value) };
}

it('remembers the last five, newest first, each once', () => {
	const store = memory();
	const keys = CONTROL_STEPS.map(({ key }) => key);
	for (const key of [...keys.slice(0, 6), keys[4]!]) rememberRecent(key, store);
	expect(listRecent(CONTROL_STEPS, store).map(({ key }) => key)).toEqual([keys[4], keys[5], keys[3], keys[2], keys[1]]);
});

it('ignores what it cannot read and templates that are gone', () => {
	expect(listRecent(CONTROL_STEPS, memory('nonsense'))).toEqual([]);
	expect(listRecent(CONTROL_STEPS, memory('["node/gone", 5]'))).toEqual([]);
});

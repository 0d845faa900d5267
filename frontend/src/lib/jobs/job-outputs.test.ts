import { describe, expect, it } from 'vitest';
import { findComparable, findOutputs, findTexts } from './job-outputs.ts';

const origin = 'http://localhost:8000';
const picture = (name: string) => `https://a.example/${name}.png`;
const step = (id: string, output: unknown, path = '', status: 'completed' | 'failed' = 'completed') => ({ id, path, status, output });

describe('findOutputs', () => {
	const steps = [step('draw', picture('1')), step('draw', picture('2'), 'each[1]'), step('bad', picture('3'), '', 'failed')];
	const shown = (output: unknown) => findOutputs({ input: null, output }, steps, origin).map(({ url, source }) => [url, source]);

	it('prefers the files of the output', () => expect(shown({ best: picture('9') })).toEqual([[picture('9'), 'Output']]));
	it('shows the newest of the completed steps while there is no output', () =>
		expect(shown(null)).toEqual([
			[picture('2'), 'draw, each #2'],
			[picture('1'), 'draw']
		]));
});

describe('findComparable', () => {
	it('lists each picture once, where it appears last, without other files', () => {
		const job = { input: { photo: picture('0') }, output: [picture('2'), 'https://a.example/film.mp4'] };
		const steps = [step('first', picture('1')), step('second', picture('2'))];
		expect(findComparable(job, steps, origin).map(({ url, source }) => [url, source])).toEqual([
			[picture('0'), 'Input'],
			[picture('1'), 'first'],
			[picture('2'), 'Output']
		]);
	});
});

const poem = 'The quick brown fox jumps over the lazy dog.';
it.each([
	['short', [{ label: '', text: 'short' }]],
	[picture('1'), []],
	[{ poem, size: 3, name: 'short', url: picture(poem.replaceAll(' ', '')) }, [{ label: 'poem', text: poem }]],
	[[poem], []],
	[null, []]
])('finds the texts to read in %j', (output, expected) => expect(findTexts(output)).toEqual(expected));

import { expect, it } from 'vitest';
import { readCodeInputs } from './code-inputs.ts';

const input = (name: string, kind = '', required = true, fallback?: unknown) => ({ name, kind, required, fallback });

it.each([
	['export function main(a, b = 2) { return a }', [input('a'), input('b', '', false, 2)]],
	["export async function main(text: string, tags: string[], n?: number, style: string = 'oil') {}", [input('text', 'string'), input('tags', 'array'), input('n', 'number', false), input('style', 'string', false, 'oil')]],
	['function helper(x) {}\nexport const main = (options: { a: number }, on = true) => on', [input('options', 'object'), input('on', '', false, true)]],
	['export function main(a, b', [input('a'), input('b')]],
	['export function other(a) {}', []],
	['', []]
])('readCodeInputs(%j)', (code, inputs) => expect(readCodeInputs(code)).toEqual(inputs));

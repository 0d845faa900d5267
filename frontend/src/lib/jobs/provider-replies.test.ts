import { expect, it } from 'vitest';
import { findSampleReply } from './provider-replies.ts';

const call = (status: number, excerpt: string) => ({ reply: { status, excerpt } });

it.each([
	['the last JSON', [call(201, '{"id": 1}'), call(200, '{"output": "x"}')], { output: 'x' }],
	['not an error', [call(200, '{"id": 1}'), call(500, '{"error": "x"}')], { id: 1 }],
	['not a part of JSON or a file', [call(200, '[1]'), call(200, '{"cut'), call(200, '"text"')], [1]],
	['nothing', [{ reply: { error: 'no connection' } }], undefined]
])('findSampleReply: %s', (_, calls, expected) => expect(findSampleReply(calls)).toEqual(expected));

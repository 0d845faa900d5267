import { describe, expect, it } from 'vitest';
import { listDelays, maxAttempts, readErasure, readNumberSetting, readRetry, supportsSetting, writeNumberSetting, writeRetry } from './settings.ts';

describe('retry', () => {
	const none = { attempts: undefined, seconds: undefined };
	it.each([
		[{ constant: { attempts: 2, seconds: 5 } }, 'constant'],
		[{ exponential: { attempts: 3, seconds: 1, multiplier: 2 } }, 'exponential'],
		[{ constant: { attempts: 0 }, exponential: { attempts: 3 } }, 'exponential'],
		[{ constant: { attempts: 1 }, exponential: { attempts: 3 } }, 'both'],
		[{ constant: { attempts: 1 }, exponential: { attempts: 0 } }, 'constant'],
		[{}, 'constant']
	])('%j is %s', (retry, kind) => expect(readRetry(retry).kind).toBe(kind));

	it.each([
		{ constant: { attempts: 2, seconds: 5 }, retry_if: { expr: 'true' } },
		{ exponential: { attempts: 3, multiplier: 2, seconds: 1, random_factor: 20 } },
		{ constant: { attempts: 1, seconds: 5 }, exponential: { attempts: 3, multiplier: 2, seconds: 1 } }
	])('writes what it has read: %j', (retry) => expect(writeRetry(retry, readRetry(retry))).toEqual(retry));

	it('keeps the condition when the kind changes', () => {
		const before = { constant: { attempts: 2, seconds: 5 }, retry_if: { expr: 'true' } };
		expect(writeRetry(before, { ...readRetry(before), kind: 'exponential' })).toEqual({ retry_if: { expr: 'true' }, exponential: { attempts: 3, seconds: 2, multiplier: 1 } });
	});
	it.each([
		[{ constant: { attempts: 2, seconds: 5 } }, [5, 5]],
		[{ exponential: { attempts: 3, seconds: 2, multiplier: 3 } }, [6, 12, 24]],
		[{ constant: { attempts: 1, seconds: 5 }, exponential: { attempts: 2, seconds: 2, multiplier: 1 } }, [5, 4, 8]],
		[{ exponential: { attempts: 2, seconds: 200, multiplier: 1 } }, [200, 21_600]],
		[{ constant: { attempts: 9, seconds: 1 } }, [1, 1, 1, 1, 1, 1]]
	])('delays of %j', (retry, delays) => expect(listDelays(readRetry(retry))).toEqual(delays));
	it('reads what is missing', () => expect(readRetry(undefined).constant).toEqual(none));
});

it.each<[unknown, unknown]>([
	[5, { kind: 'number', value: 5 }],
	[{ type: 'static', value: 5 }, { kind: 'number', value: 5 }],
	[{ type: 'javascript', expr: 'flow_input.n' }, { kind: 'expression', source: 'flow_input.n' }],
	[undefined, { kind: 'number', value: undefined }]
])('readNumberSetting(%j)', (value, setting) => expect(readNumberSetting(value)).toEqual(setting));

it('writeNumberSetting', () => expect([writeNumberSetting(5, false), writeNumberSetting(5, true), writeNumberSetting(undefined, true)]).toEqual([5, { type: 'static', value: 5 }, undefined]));

it.each([
	['script', 'cache_ttl', true],
	['forloopflow', 'cache_ttl', false],
	['branchall', 'stop_after_if', false],
	['branchall', 'stop_after_all_iters_if', true],
	['whileloopflow', 'stop_after_if', true],
	['script', 'stop_after_all_iters_if', false],
	['identity', 'fallback', false]
] as const)('%s supports %s: %s', (type, setting, supported) => expect(supportsSetting({ value: { type } }, setting)).toBe(supported));

it.each([
	[{}, undefined],
	[{ delete_after_use: true }, 0],
	[{ delete_after_use: true, delete_after_secs: 60 }, 60],
	[{ delete_after_use: false }, undefined]
])('readErasure(%j)', (module, seconds) => expect(readErasure(module)).toBe(seconds));

it.each([
	[{ constant: { attempts: 3 } }, 4],
	[{ exponential: { attempts: 2 } }, 3],
	[{ constant: { attempts: 1 }, exponential: { attempts: 2 } }, 4],
	[{ constant: { attempts: 0 } }, undefined],
	[undefined, undefined]
])('maxAttempts of %j', (retry, expected) => expect(maxAttempts({ retry })).toBe(expected));

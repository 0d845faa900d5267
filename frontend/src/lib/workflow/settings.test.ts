import { describe, expect, it } from 'vitest';
import { readRetry, writeRetry } from './settings.ts';

describe('retry', () => {
	it.each([
		[{ constant: { attempts: 2, seconds: 5 } }, { kind: 'constant', attempts: 2, seconds: 5, multiplier: undefined }],
		[{ exponential: { attempts: 3, seconds: 1, multiplier: 2 } }, { kind: 'exponential', attempts: 3, seconds: 1, multiplier: 2 }],
		[{ constant: { attempts: 0 }, exponential: { attempts: 3 } }, { kind: 'exponential', attempts: 3, seconds: undefined, multiplier: undefined }],
		[{}, { kind: 'constant', attempts: undefined, seconds: undefined, multiplier: undefined }]
	])('reads %j', (retry, form) => expect(readRetry(retry)).toEqual(form));

	it('keeps the condition when the kind changes', () => {
		const before = { constant: { attempts: 2, seconds: 5 }, retry_if: { expr: 'true' } };
		expect(writeRetry(before, { kind: 'exponential', attempts: 2, seconds: 5, multiplier: undefined })).toEqual({
			retry_if: { expr: 'true' },
			exponential: { attempts: 2, seconds: 5, multiplier: 1 }
		});
	});
});

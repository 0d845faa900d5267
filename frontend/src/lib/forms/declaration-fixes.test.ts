import { expect, it } from 'vitest';
import { toFixableProblems } from './declaration-fixes.ts';

const finding = (code: string, pointer: string, help?: string) => ({ code, severity: 'error' as const, pointer, message: 'm', help });
const document = { base_urll: 'x', data: { operation: 'replicat', limts: {}, limits: {} } };

it.each([
	['a misspelt field, in its place', finding('unknown-field', '/base_urll', 'did you mean `base_url`?'), { label: 'rename to `base_url`', pointer: '/base_urll', name: 'base_url' }],
	['a misspelt value', finding('unknown-preset', '/data/operation', 'did you mean `replicate`?'), { label: 'change to `replicate`', pointer: '/data/operation', value: 'replicate' }],
	['a field that is there already', finding('unknown-field', '/data/limts', 'did you mean `limits`?'), null],
	['a finding without help', finding('bad-url', '/base_urll'), null],
	['other help', finding('bad-url', '/base_urll', 'write a URL'), null]
])('%s', (_, found, fix) => expect(toFixableProblems(document, [found])[0]?.fix).toEqual(fix));

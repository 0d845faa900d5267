import { expect, it } from 'vitest';
import { toJobQuery, type JobListValues } from './job-list.ts';

const NONE: JobListValues = { q: '', status: '', workflow: '', node: '', user: '', period: '', order: 'newest' };
const now = new Date(2026, 10, 29, 4, 30).getTime();

it.each<[Partial<JobListValues>, object]>([
	[{}, {}],
	[{ q: '  hat ', status: 'failed', workflow: 'w', user: 'u' }, { search: 'hat', status: 'failed', workflow_id: 'w', created_by: 'u' }],
	[{ status: 'nonsense', period: 'x', node: 'n' }, { node_id: 'n' }],
	[{ order: 'oldest' }, { order: 'oldest' }],
	[{ period: '1' }, { created_after: new Date(2026, 10, 29).toISOString() }],
	[{ period: '7' }, { created_after: new Date(2026, 10, 23).toISOString() }]
])('queries jobs by %j', (values, expected) => expect(toJobQuery({ ...NONE, ...values }, now)).toEqual(expected));

import { expect, it } from 'vitest';
import type { ServerSettings } from '#lib/api/types.ts';
import { describeLimits, describeOperation, describeRetention } from './server-settings.ts';

const settings: ServerSettings = {
	version: '1.0.0',
	public_url: null,
	limits: {
		request_bytes: 10_000_000,
		document_bytes: 2_000_000,
		workflow_steps: 5000,
		artifact_bytes: 1_000_000_000,
		artifacts_of_user_bytes: null,
		result_bytes: 1_000_000,
		reply_bytes: 1_000_000,
		job_bytes: 1_000_000,
		active_jobs_of_user_bytes: 1_000_000,
		link_seconds: 3600
	},
	retention: { job_days: null, artifact_days: 1, call_days: 30 },
	operation: null
};
const operation: ServerSettings['operation'] = {
	started_at: '2026-11-29T08:00:00.000Z',
	runs_jobs: true,
	concurrency: 64,
	database: 'postgres',
	storage: 's3',
	allowed_hosts: [],
	cors_origins: ['https://a.example', 'https://b.example'],
	accepts_webhooks: false,
	max_stored_bytes: null,
	max_ended_jobs: 100_000
};
const values = (rows: { label: string; value: string }[]) => Object.fromEntries(rows.map(({ label, value }) => [label, value]));

it('shows limits in units, and says where there is none', () => {
	expect(values(describeLimits(settings))).toMatchObject({ File: '1.0 GB', 'All files of a user': 'no limit', 'Steps of a workflow': '5,000' });
});

it.each([
	[{ job_days: null, artifact_days: 1, call_days: 30 }, 3600, ['never', 'after 1 day', 'after 30 days', '1 hour']],
	[{ job_days: 7, artifact_days: null, call_days: 30 }, 90, ['after 7 days', 'never', 'after 30 days', '90 seconds']]
])('shows how long things are kept: %j', (retention, link_seconds, expected) => {
	const rows = describeRetention({ retention, limits: { ...settings.limits, link_seconds } });
	expect(rows.map(({ value }) => value)).toEqual(expected);
});

it('shows how the server runs to admins only', () => {
	expect(describeOperation(settings)).toEqual([]);
	expect(values(describeOperation({ operation, public_url: null }))).toMatchObject({
		'Public URL': 'not set',
		Database: 'Postgres',
		'Files are stored in': 'S3',
		'Allowed private hosts': 'none',
		'Pages of other origins': 'https://a.example, https://b.example',
		'Ended jobs kept': '100,000'
	});
	expect(values(describeOperation({ operation: { ...operation, runs_jobs: false }, public_url: 'https://x.example' }))).toMatchObject({ 'Public URL': 'https://x.example', 'Jobs at the same time': 'none' });
});

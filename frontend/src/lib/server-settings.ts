import type { ServerSettings } from '#lib/api/types.ts';
import { formatBytes, plural } from '#lib/format.ts';

/** A setting as it is shown: its name, its value in words, and what it means if the name does not say it. */
export interface ShownSetting {
	label: string;
	value: string;
	about?: string;
}

const days = (count: number | null, otherwise: string) => (count === null ? otherwise : `after ${plural(count, 'day')}`);
const size = (bytes: number | null) => (bytes === null ? 'no limit' : formatBytes(bytes));

/** Formats a number of seconds in its largest whole unit: `1 hour`, `90 seconds`. */
function formatSeconds(seconds: number): string {
	const [unit, length] = ([['day', 86_400], ['hour', 3_600], ['minute', 60]] as const).find(([, length]) => seconds >= length && seconds % length === 0) ?? ['second', 1];
	return plural(seconds / length, unit);
}

/** What a user may send and run. */
export function describeLimits({ limits }: Pick<ServerSettings, 'limits'>): ShownSetting[] {
	return [
		{ label: 'File', value: size(limits.artifact_bytes), about: 'each upload and each output' },
		{ label: 'All files of a user', value: size(limits.artifacts_of_user_bytes) },
		{ label: 'Workflow, node, connector', value: size(limits.document_bytes), about: 'as JSON' },
		{ label: 'Steps of a workflow', value: limits.workflow_steps.toLocaleString('en-US'), about: 'with those in loops and branches' },
		{ label: 'Request', value: size(limits.request_bytes), about: 'without files' },
		{ label: 'Reply of a provider', value: size(limits.reply_bytes) },
		{ label: 'Result of a step', value: size(limits.result_bytes) },
		{ label: 'Values of a job', value: size(limits.job_bytes) },
		{ label: 'Active jobs of a user', value: size(limits.active_jobs_of_user_bytes), about: 'their values together' }
	];
}

/** How long things are kept. */
export function describeRetention({ retention, limits }: Pick<ServerSettings, 'retention' | 'limits'>): ShownSetting[] {
	return [
		{ label: 'Ended jobs are deleted', value: days(retention.job_days, 'never') },
		{ label: 'Unused files are deleted', value: days(retention.artifact_days, 'never') },
		{ label: 'Proxied calls are deleted', value: days(retention.call_days, 'never') },
		{ label: 'Links to files work for', value: formatSeconds(limits.link_seconds) }
	];
}

const DATABASES = { sqlite: 'SQLite', postgres: 'Postgres' };
const STORAGES = { folder: 'folder', s3: 'S3', gcs: 'Google Cloud Storage', azure: 'Azure Blob Storage' };

/** How the server runs; empty for users who are not admins. */
export function describeOperation({ operation, public_url }: Pick<ServerSettings, 'operation' | 'public_url'>): ShownSetting[] {
	if (operation === null) return [];
	const list = (items: readonly string[]) => (items.length > 0 ? items.join(', ') : 'none');
	return [
		{ label: 'Public URL', value: public_url ?? 'not set', about: public_url === null ? 'links have the host of the request; set PUBLIC_API_URL so that providers and mails get one that always works' : undefined },
		{ label: 'Jobs at the same time', value: operation.runs_jobs ? String(operation.concurrency) : 'none', about: operation.runs_jobs ? undefined : 'other processes run them' },
		{ label: 'Database', value: DATABASES[operation.database] },
		{ label: 'Files are stored in', value: STORAGES[operation.storage] },
		{ label: 'Space for all files', value: size(operation.max_stored_bytes), about: operation.max_stored_bytes === null ? undefined : 'beyond it, those unused for longest are deleted' },
		{ label: 'Ended jobs kept', value: operation.max_ended_jobs === null ? 'no limit' : operation.max_ended_jobs.toLocaleString('en-US') },
		{ label: 'Calls from providers', value: operation.accepts_webhooks ? 'accepted' : 'off', about: operation.accepts_webhooks ? undefined : 'their work is polled' },
		{ label: 'Allowed private hosts', value: list(operation.allowed_hosts) },
		{ label: 'Pages of other origins', value: list(operation.cors_origins) }
	];
}

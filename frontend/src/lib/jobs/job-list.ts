import { JOB_STATUSES } from '#lib/jobs/jobs.ts';

/** Periods by which the list of jobs can be filtered. */
export const JOB_PERIODS: readonly { value: string; label: string }[] = [
	{ value: '1', label: 'Today' },
	{ value: '7', label: 'Last 7 days' },
	{ value: '30', label: 'Last 30 days' }
];

/** Orders of the list of jobs. */
export const JOB_ORDERS = [
	{ value: 'newest', label: 'Newest first' },
	{ value: 'oldest', label: 'Oldest first' }
] as const;

/** Search, filters and order of the list of jobs, as the URL of the page has them. Empty values filter nothing. */
export interface JobListValues {
	q: string;
	status: string;
	workflow: string;
	node: string;
	user: string;
	period: string;
	order: string;
}

/** The query of `GET /jobs` for these filters. A period begins at midnight, so that the query stays the same all day. */
export function toJobQuery({ q, status, workflow, node, user, period, order }: JobListValues, now: number) {
	const days = JOB_PERIODS.find(({ value }) => value === period)?.value;
	const given = (text: string) => (text.trim() === '' ? undefined : text.trim());
	return {
		order: order === 'oldest' ? ('oldest' as const) : undefined,
		search: given(q),
		status: JOB_STATUSES.find((known) => known === status),
		workflow_id: given(workflow),
		node_id: given(node),
		created_by: given(user),
		created_after: days === undefined ? undefined : startOfPeriod(Number(days), now)
	};
}

function startOfPeriod(days: number, now: number): string {
	const start = new Date(now);
	start.setHours(0, 0, 0, 0);
	start.setDate(start.getDate() - (days - 1));
	return start.toISOString();
}

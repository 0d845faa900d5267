import { createQuery, type CreateQueryResult } from '@tanstack/svelte-query';
import { unwrap, type Api } from '#lib/api/client.ts';
import { ProblemError } from '#lib/api/problem.ts';
import type { DryRunReport, JobSummary, Workflow } from '#lib/api/types.ts';
import { readWholeCatalog } from '#lib/documents/catalog.ts';
import type { Core } from '#lib/core.ts';
import type { Draft } from '#lib/forms/draft.svelte.ts';
import type { CardRun } from '#lib/graph/graph-context.ts';
import { stepsOfDryRun, toCardRuns } from '#lib/graph/run-states.ts';
import { JobWatch } from '#lib/jobs/job-watch.svelte.ts';
import type { Part } from '#lib/jobs/partial.ts';
import { valueAt } from '#lib/pointer.ts';
import { withDefaults } from './start-run.ts';
import type { WorkflowEditing } from './workflow-editing.svelte.ts';

/** How many past runs are offered as a source of inputs. */
const MAX_PAST_RUNS = 10;

/** Runs of the workflow in the editor, and the run that the graph shows. Create it while a component is initialized. */
export class WorkflowRun {
	/** The part that the user wants to run; null while there is no dialog. */
	part = $state.raw<Part | null>(null);
	/** The dry run that the graph shows instead of the last run. */
	dryRun = $state.raw<DryRunReport | null>(null);
	/** Whether the requests of the dry run are shown. */
	isDryRunOpen = $state(false);
	/** Outputs that the user wrote for steps of the dry run, by step id. */
	dryOutputs = $state.raw<Record<string, unknown>>({});
	/** Id of the run that was started here; null for none. */
	startedJob = $state<string | null>(null);
	/** Past runs of the saved workflow, newest first. */
	readonly pastRuns: CreateQueryResult<JobSummary[], Error>;
	/** Follows the run that was started here, else the last one of the workflow. */
	readonly watch: JobWatch;

	#dryInput: Record<string, unknown> = {};
	#dryUntil: string | undefined;
	readonly #api: Api;
	readonly #core: Core;
	readonly #editing: WorkflowEditing;
	readonly #shownJob: string | null = $derived.by(() => this.startedJob ?? this.pastRuns.data?.[0]?.id ?? null);

	constructor(api: Api, core: Core, draft: Draft<Workflow>, editing: WorkflowEditing) {
		this.#api = api;
		this.#core = core;
		this.#editing = editing;
		this.pastRuns = createQuery(() => ({
			queryKey: ['jobs', 'last', draft.saved?.id],
			queryFn: async () => (await unwrap(api.GET('/api/v1/jobs', { params: { query: { workflow_id: draft.saved?.id, limit: MAX_PAST_RUNS } } }))).items,
			enabled: draft.saved !== null
		}));
		this.watch = new JobWatch(api, () => this.#shownJob);
	}

	/** State of each step in the run that the graph shows, by step id. */
	readonly cardRuns: ReadonlyMap<string, CardRun> | null = $derived.by(() => {
		if (this.dryRun) return toCardRuns(stepsOfDryRun(this.dryRun), location.origin);
		return this.watch.job ? toCardRuns(this.watch.job.steps, location.origin) : null;
	});

	/** Progress of the run that was started here, for the title of the tab; empty if none is active. */
	readonly progress: string = $derived.by(() => {
		const job = this.watch.job;
		if (!job || !this.watch.isActive || this.startedJob === null) return '';
		const done = job.steps.filter(({ finished_at }) => finished_at !== null).length;
		return `▶ ${done}/${Math.max(this.#editing.stepIds.length, job.steps.length)} `;
	});

	/** Shows a run that was started. */
	show(job: string): void {
		[this.startedJob, this.dryRun] = [job, null];
		void this.pastRuns.refetch();
	}

	/** Runs the workflow with made-up replies, up to a step if one is given. Throws `ProblemError`. */
	async runDry(input: Record<string, unknown>, until: string | undefined): Promise<void> {
		this.dryOutputs = {};
		await this.#performDryRun(input, until);
	}

	/** Repeats the dry run with an output for a step; `undefined` makes one up again. Throws `ProblemError`. */
	async replaceDryOutput(step: string, output: unknown): Promise<void> {
		const { [step]: _before, ...others } = this.dryOutputs;
		this.dryOutputs = output === undefined ? others : { ...others, [step]: output };
		await this.#performDryRun(this.#dryInput, this.#dryUntil);
	}

	async #performDryRun(input: Record<string, unknown>, until: string | undefined): Promise<void> {
		[this.#dryInput, this.#dryUntil] = [input, until];
		const { document } = this.#editing;
		const catalog = await readWholeCatalog(this.#api);
		const outcome = await this.#core.dryRun({ document, catalog, input: withDefaults(valueAt(document, '/schema'), input), until, mocks: this.dryOutputs });
		if ('diagnostics' in outcome) {
			const detail = 'the workflow has errors';
			throw new ProblemError({ type: 'about:blank', title: 'The dry run did not start', status: 422, code: 'not_runnable', detail, diagnostics: outcome.diagnostics });
		}
		[this.dryRun, this.isDryRunOpen] = [outcome.report, true];
	}
}

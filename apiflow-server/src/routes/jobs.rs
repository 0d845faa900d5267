//! Routes of jobs and their steps.

use apiflow_core::ports::{JobFilter, JobOrder, JobStatus, Timestamp};
use apiflow_core::runtime::RecoverError;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{Call, Job, JobDocument, JobSummary, Page, Step, StepLog};
use crate::http::extract::{InPath, InQuery};
use crate::http::pagination::{PageQuery, build_page};
use crate::http::problem::Problem;
use crate::http::problem_codes;
use crate::jobs::lookup;
use crate::jobs::truncate_values::{truncate_job, truncate_step};
use crate::jobs::views;
use crate::jobs::views::KnownValues;
use crate::state::AppState;
use crate::users::{Caller, ScopedCaller};

/// Returns the routes of jobs.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(list_of_workflow))
        .routes(routes!(read, remove))
        .routes(routes!(read_document))
        .routes(routes!(cancel_job))
        .routes(routes!(list_steps))
        .routes(routes!(read_step))
        .routes(routes!(list_calls))
        .routes(routes!(read_step_log))
        .routes(routes!(recover_step))
}

/// The order of a list of jobs.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ListOrder {
    /// The job that was created last comes first.
    #[default]
    Newest,
    /// The job that was created first comes first.
    Oldest,
}

impl From<ListOrder> for JobOrder {
    fn from(order: ListOrder) -> Self {
        match order {
            ListOrder::Newest => Self::Newest,
            ListOrder::Oldest => Self::Oldest,
        }
    }
}

/// Filter, order and page of a list of jobs.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct JobQuery {
    /// Number of jobs per page, from 1 to 500 (default: 50).
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next` of the previous page, of a list in the same order.
    cursor: Option<String>,
    /// The order by time of creation (default: newest first).
    #[serde(default)]
    #[param(inline)]
    order: Option<ListOrder>,
    /// Only jobs with this status.
    status: Option<JobStatus>,
    /// Only jobs of this workflow.
    workflow_id: Option<String>,
    /// Only jobs of this node.
    node_id: Option<String>,
    /// Only jobs that this user created, by id.
    created_by: Option<String>,
    /// Only jobs whose name contains this text, or whose id is this text.
    search: Option<String>,
    /// Only jobs created at or after this time.
    #[param(format = DateTime)]
    created_after: Option<String>,
    /// Only jobs created before this time.
    #[param(format = DateTime)]
    created_before: Option<String>,
}

/// Lists jobs of all users that match a filter.
#[utoipa::path(get, path = "/jobs", operation_id = "list_jobs", tag = "jobs", params(JobQuery),
    responses((status = OK, description = "a page, in the given order", body = Page<JobSummary>)))]
async fn list(
    State(state): State<AppState>,
    _caller: Caller,
    InQuery(query): InQuery<JobQuery>,
) -> Result<Json<Page<JobSummary>>, Problem> {
    let filter = JobFilter {
        status: query.status,
        workflow_id: query.workflow_id,
        node_id: query.node_id,
        created_by: query.created_by,
        search: query.search.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()),
        created_after: parse_time("created_after", query.created_after.as_deref())?,
        created_before: parse_time("created_before", query.created_before.as_deref())?,
        order: query.order.unwrap_or_default().into(),
    };
    list_page(&state, &filter, &PageQuery { limit: query.limit, cursor: query.cursor }).await
}

/// Lists the jobs of a workflow.
#[utoipa::path(get, path = "/workflow/{id}/jobs", operation_id = "list_workflow_jobs", tag = "jobs",
    params(("id" = String, Path), PageQuery),
    responses((status = OK, description = "a page, newest first", body = Page<JobSummary>)))]
async fn list_of_workflow(
    State(state): State<AppState>,
    _caller: Caller,
    InPath(id): InPath<String>,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<Page<JobSummary>>, Problem> {
    list_page(&state, &JobFilter { workflow_id: Some(id), ..JobFilter::default() }, &query).await
}

/// What a reply contains of large values.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ValueQuery {
    /// Largest input and output that is returned whole, in bytes of JSON; of a larger one, a preview is returned, and
    /// `truncated` names it (default: no limit).
    #[param(minimum = 1)]
    max_value_bytes: Option<usize>,
}

/// Reads a job.
#[utoipa::path(get, path = "/jobs/{id}", operation_id = "get_job", tag = "jobs", params(("id" = String, Path), ValueQuery),
    responses((status = OK, description = "the job", body = Job)))]
async fn read(
    State(state): State<AppState>,
    caller: ScopedCaller,
    InPath(id): InPath<String>,
    InQuery(query): InQuery<ValueQuery>,
) -> Result<Json<Job>, Problem> {
    let caller = caller.permit_job(&state, &id).await?;
    let mut job = views::read_job(&state, &caller, &id).await?;
    if let Some(max_bytes) = query.max_value_bytes {
        truncate_job(&mut job, max_bytes);
    }
    Ok(Json(job))
}

/// Reads the workflow of a job as it was when the job was created.
#[utoipa::path(get, path = "/jobs/{id}/document", operation_id = "get_job_document", tag = "jobs",
    params(("id" = String, Path)),
    responses((status = OK, description = "the document of the job", body = JobDocument)))]
async fn read_document(
    State(state): State<AppState>,
    _caller: Caller,
    InPath(id): InPath<String>,
) -> Result<Json<JobDocument>, Problem> {
    lookup::find_job(&state, &id).await?;
    let bundle = state.store.load_job(&id).await?.bundle.into_bundle();
    Ok(Json(JobDocument { document: bundle.document, workflows: bundle.catalog.workflows }))
}

/// Deletes a job that has ended, with all its data.
#[utoipa::path(delete, path = "/jobs/{id}", operation_id = "delete_job", tag = "jobs", params(("id" = String, Path)),
    responses((status = NO_CONTENT, description = "removed")))]
async fn remove(
    State(state): State<AppState>,
    _caller: Caller,
    InPath(id): InPath<String>,
) -> Result<StatusCode, Problem> {
    state.store.delete_job(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Cancels a job; its branches and its work at providers are cancelled too.
#[utoipa::path(post, path = "/jobs/{id}/cancel", operation_id = "cancel_job", tag = "jobs",
    params(("id" = String, Path)),
    responses((status = ACCEPTED, description = "the job; it ends soon", body = Job)))]
async fn cancel_job(
    State(state): State<AppState>,
    caller: ScopedCaller,
    InPath(id): InPath<String>,
) -> Result<(StatusCode, Json<Job>), Problem> {
    let caller = caller.permit_job(&state, &id).await?;
    lookup::find_job(&state, &id).await?;
    let reason = format!("cancelled by {}", caller.user.username);
    let is_new = state.runtime.cancel_job(&id, &reason, Some(&caller.user.id)).await?;
    let row = lookup::find_job(&state, &id).await?;
    // Cancelling twice is not an error; a job that has ended takes no message.
    if !is_new && row.state.status.is_final() && row.state.status != JobStatus::Cancelled {
        return Err(Problem::new(StatusCode::CONFLICT, problem_codes::ENDED, format!("job `{id}` has ended already")));
    }
    Ok((StatusCode::ACCEPTED, Json(views::job_view(&state, &caller, row, KnownValues::default()).await?)))
}

/// Page of a list of steps.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct StepQuery {
    /// Number of steps per page, from 1 to 500 (default: 50).
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// The `next` of the previous page.
    cursor: Option<String>,
    /// Largest input and output that is returned whole, in bytes of JSON; of a larger one, a preview is returned, and
    /// `truncated` names it (default: no limit).
    #[param(minimum = 1)]
    max_value_bytes: Option<usize>,
}

/// Lists the steps of a job in the order in which they started.
#[utoipa::path(get, path = "/jobs/{id}/steps", operation_id = "list_steps", tag = "jobs",
    params(("id" = String, Path), StepQuery),
    responses((status = OK, description = "a page, oldest first", body = Page<Step>)))]
async fn list_steps(
    State(state): State<AppState>,
    caller: ScopedCaller,
    InPath(id): InPath<String>,
    InQuery(query): InQuery<StepQuery>,
) -> Result<Json<Page<Step>>, Problem> {
    let caller = caller.permit_job(&state, &id).await?;
    let page = PageQuery { limit: query.limit, cursor: query.cursor };
    let after = match page.after_key()? {
        None => 0,
        Some(key) => {
            key.parse().map_err(|_| Problem::malformed("invalid cursor: pass the `next` of the previous page"))?
        }
    };
    let job = lookup::find_job(&state, &id).await?;
    let (mut items, next) = views::step_views(&state, &caller, &job, after, page.limit()?).await?;
    if let Some(max_bytes) = query.max_value_bytes {
        for step in &mut items {
            truncate_step(step, max_bytes);
        }
    }
    Ok(Json(Page { items, next }))
}

/// Reads a step of a job, with its whole input and output.
#[utoipa::path(get, path = "/jobs/{id}/steps/{step}", operation_id = "get_step", tag = "jobs",
    params(("id" = String, Path), ("step" = String, Path, description = "the step's `ordinal`, or its `id` (the first step with that id)")),
    responses((status = OK, description = "the step", body = Step)))]
async fn read_step(
    State(state): State<AppState>,
    caller: ScopedCaller,
    InPath((id, step)): InPath<(String, String)>,
) -> Result<Json<Step>, Problem> {
    let caller = caller.permit_job(&state, &id).await?;
    let job = lookup::find_job(&state, &id).await?;
    let ordinal = lookup::find_ordinal(&state, &id, &step).await?;
    let (mut steps, _) = views::step_views(&state, &caller, &job, ordinal.saturating_sub(1), 1).await?;
    steps.pop().map(Json).ok_or_else(|| Problem::not_found(format!("job `{id}` has no step `{step}`")))
}

/// Looks up the work of a step of unknown outcome at its provider. If the job failed because of it, it runs again, and
/// continues from this step if the work is found.
#[utoipa::path(post, path = "/jobs/{id}/steps/{step}/recover", operation_id = "recover_step", tag = "jobs",
    params(("id" = String, Path), ("step" = String, Path, description = "the step's `ordinal`, or its `id` (the last step with that id)")),
    responses((status = ACCEPTED, description = "the job; its provider is queried soon", body = Job)))]
async fn recover_step(
    State(state): State<AppState>,
    caller: Caller,
    InPath((id, step)): InPath<(String, String)>,
) -> Result<(StatusCode, Json<Job>), Problem> {
    lookup::find_job(&state, &id).await?;
    let ordinal = lookup::find_unsettled_ordinal(&state, &id, &step).await?;
    state.runtime.recover_step(&id, ordinal).await.map_err(|error| recover_problem(&id, &step, error))?;
    Ok((StatusCode::ACCEPTED, Json(views::read_job(&state, &caller, &id).await?)))
}

fn recover_problem(job: &str, step: &str, error: RecoverError) -> Problem {
    let conflict = |code: &'static str, message: String| Problem::new(StatusCode::CONFLICT, code, message);
    match error {
        RecoverError::Store(error) => error.into(),
        RecoverError::NotUnknown => conflict(
            problem_codes::FATE_KNOWN,
            format!("step `{step}` of job `{job}` did not fail with `submit_unknown`: there is nothing to look up"),
        ),
        RecoverError::WentOn => conflict(
            problem_codes::WENT_ON,
            format!(
                "job `{job}` continued after step `{step}` had ended, so its work cannot be recovered: look for \
                 it in the provider's list, or rerun the job from this step with `\"confirm_unknown\": true`"
            ),
        ),
        RecoverError::NotListed { node } => conflict(
            problem_codes::NOT_LISTED,
            format!(
                "the provider of step `{step}` can't be asked whether it did the work: the operation of node `{node}` has no \
                 `recover`, which names the provider's list. Look for the work on the provider's own pages. If it is not \
                 there, rerun the job from this step with `\"confirm_unknown\": true`"
            ),
        ),
        RecoverError::Erased => conflict(
            problem_codes::ERASED,
            format!("values of job `{job}` were erased, as its workflow requires, so it cannot continue: run it again"),
        ),
        other @ (RecoverError::Unreadable(_) | _) => Problem::internal(other),
    }
}

/// Lists the requests that a step sent, with their replies.
#[utoipa::path(get, path = "/jobs/{id}/steps/{step}/calls", operation_id = "list_calls", tag = "jobs",
    params(("id" = String, Path), ("step" = String, Path, description = "the step's `ordinal`, or its `id` (the first step with that id)")),
    responses((status = OK, description = "all calls, oldest first", body = Page<Call>)))]
async fn list_calls(
    State(state): State<AppState>,
    _caller: Caller,
    InPath((id, step)): InPath<(String, String)>,
) -> Result<Json<Page<Call>>, Problem> {
    lookup::find_job(&state, &id).await?;
    let ordinal = lookup::find_ordinal(&state, &id, &step).await?;
    let items = state.store.list_calls(&id, ordinal).await?.into_iter().map(views::call_view).collect();
    Ok(Json(Page { items, next: None }))
}

/// Where to begin in a log.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct LogQuery {
    /// Position in the whole log, in bytes (default: 0); the `total_bytes` of the previous reply returns what was added
    /// since.
    offset: Option<u64>,
}

/// Reads the end of the log that a step's provider wrote, at most 64 KiB. A step whose provider reports no log has an
/// empty one.
#[utoipa::path(get, path = "/jobs/{id}/steps/{step}/logs", operation_id = "get_step_log", tag = "jobs",
    params(("id" = String, Path), ("step" = String, Path, description = "the step's `ordinal`, or its `id` (the first step with that id)"), LogQuery),
    responses((status = OK, description = "the log, from the offset on", body = StepLog)))]
async fn read_step_log(
    State(state): State<AppState>,
    _caller: Caller,
    InPath((id, step)): InPath<(String, String)>,
    InQuery(query): InQuery<LogQuery>,
) -> Result<Json<StepLog>, Problem> {
    lookup::find_job(&state, &id).await?;
    let ordinal = lookup::find_ordinal(&state, &id, &step).await?;
    let log = state.store.read_step_log(&id, ordinal).await?;
    Ok(Json(views::log_view(ordinal, log, query.offset.unwrap_or(0))))
}

async fn list_page(state: &AppState, filter: &JobFilter, query: &PageQuery) -> Result<Json<Page<JobSummary>>, Problem> {
    let limit = query.limit()?;
    let rows = state.store.list_jobs(filter, query.after_key()?.as_deref(), limit + 1).await?;
    Ok(Json(build_page(rows, limit, |row| row.id.clone(), views::job_summary)))
}

fn parse_time(name: &str, text: Option<&str>) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = text else { return Ok(None) };
    Timestamp::from_rfc3339(text)
        .map(Some)
        .ok_or_else(|| Problem::malformed(format!("{name} is `{text}`; it must be a time like 2026-01-31T12:00:00Z")))
}

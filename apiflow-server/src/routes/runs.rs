//! Routes that start jobs.

use apiflow_core::dry_run::Report;
use apiflow_core::openflow::Selection;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::json;
use utoipa::{IntoParams, IntoResponses};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{
    Diagnostics, DryRunRequest, Job, RerunRequest, RunDocumentRequest, RunRequest, RunWorkflowRequest, ValidateRequest,
};
use crate::http::extract::{InPath, JsonBody};
use crate::users::scopes::RunTarget;
use crate::users::{Caller, ScopedCaller};

use crate::documents::workflow_checks::check_sent_workflow;
use crate::http::problem::Problem;
use crate::jobs::dry_run::dry_run_document;
use crate::jobs::idempotency;
use crate::jobs::start_job::{JobDraft, start_job};
use crate::state::AppState;
use crate::webhooks::receiver::NamedReceiver;

/// Returns the routes that start jobs, and those that check a document.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(run_node))
        .routes(routes!(run_workflow))
        .routes(routes!(run_document))
        .routes(routes!(dry_run))
        .routes(routes!(rerun_job))
        .routes(routes!(validate))
}

/// The headers of a request that starts a job; the OpenAPI document describes them with this.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only described: the handlers read the headers where they need them")]
struct RunHeaders {
    /// `wait=N`: reply when the job has ended, or after N seconds (at most 300)
    #[param(rename = "Prefer")]
    prefer: Option<String>,
    /// a request with the same key within 24 hours returns the first job
    #[param(rename = "Idempotency-Key")]
    idempotency_key: Option<String>,
}

/// The replies to a request that starts a job; the OpenAPI document describes them with this.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "only described: `start_job` builds the replies")]
enum RunResponses {
    #[response(status = ACCEPTED, description = "the job, which has not ended", headers(("Location" = String)))]
    NotEnded(Job),
    #[response(status = OK, description = "the job, which has ended", headers(("Location" = String)))]
    Ended(Job),
}

/// Runs one node.
#[utoipa::path(post, path = "/node/{id}/run", operation_id = "run_node", tag = "jobs",
    params(("id" = String, Path), RunHeaders),
    request_body = RunRequest, responses(RunResponses))]
async fn run_node(
    State(state): State<AppState>,
    caller: ScopedCaller,
    InPath(id): InPath<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<RunRequest>,
) -> Result<Response, Problem> {
    let caller = caller.permit_run(RunTarget::Node(&id))?;
    caller.permit_webhook(body.webhook.as_deref())?;
    let receiver = NamedReceiver { url: body.webhook.as_deref(), events: body.webhook_events_filter.as_deref() };
    let webhook = receiver.check(&state.settings.outgoing, &caller.user.id)?;
    let asked = || identify_request(json!(["node", id, body.input]), false, receiver);
    let key = idempotency::read_key(&state, &caller, &headers, asked)?;
    let draft = async { Ok(JobDraft::of_node(&state, &id, body.input).await?.with_webhook(webhook)) };
    start_job(&state, &caller, &headers, key, draft).await
}

/// Runs a saved workflow.
#[utoipa::path(post, path = "/workflow/{id}/run", operation_id = "run_workflow", tag = "jobs",
    params(("id" = String, Path), RunHeaders),
    request_body = RunWorkflowRequest, responses(RunResponses))]
async fn run_workflow(
    State(state): State<AppState>,
    caller: ScopedCaller,
    InPath(id): InPath<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<RunWorkflowRequest>,
) -> Result<Response, Problem> {
    let caller = caller.permit_run(RunTarget::Workflow(&id))?;
    caller.permit_webhook(body.webhook.as_deref())?;
    let receiver = NamedReceiver { url: body.webhook.as_deref(), events: body.webhook_events_filter.as_deref() };
    let webhook = receiver.check(&state.settings.outgoing, &caller.user.id)?;
    if body.version.is_some() && caller.has_scopes() {
        let message = "this token has scopes, which permit runs of the newest version only: leave `version` out, or use a \
                       token without scopes";
        return Err(Problem::scope_required(message));
    }
    let mut asked = json!(["workflow", id, body.input, body.preprocess]);
    add_named(&mut asked, "version", body.version.as_ref());
    let asked = || identify_request(asked, body.fresh, receiver);
    let key = idempotency::read_key(&state, &caller, &headers, asked)?;
    let user = &caller.user.id;
    let draft = async {
        let draft = match body.version {
            None => Box::pin(JobDraft::of_workflow(&state, user, &id, body.input, body.preprocess)).await?,
            Some(number) => {
                let version = (id.as_str(), number);
                Box::pin(JobDraft::of_workflow_version(&state, user, version, body.input, body.preprocess)).await?
            }
        };
        Ok(draft.with_fresh(body.fresh).with_webhook(webhook))
    };
    start_job(&state, &caller, &headers, key, draft).await
}

/// Runs a workflow document, or a part of one, without saving it.
#[utoipa::path(post, path = "/workflows/run", operation_id = "run_document", tag = "jobs",
    params(RunHeaders),
    request_body = RunDocumentRequest, responses(RunResponses))]
async fn run_document(
    State(state): State<AppState>,
    caller: Caller,
    headers: HeaderMap,
    JsonBody(body): JsonBody<RunDocumentRequest>,
) -> Result<Response, Problem> {
    let RunDocumentRequest { document, input, preprocess, fresh, until, only, mocks, workflow_id, .. } = body;
    let receiver = NamedReceiver { url: body.webhook.as_deref(), events: body.webhook_events_filter.as_deref() };
    let webhook = receiver.check(&state.settings.outgoing, &caller.user.id)?;
    let mut asked = json!(["document", document, input, preprocess, until, only, mocks]);
    add_named(&mut asked, "workflow_id", workflow_id.as_ref());
    let asked = || identify_request(asked, fresh, receiver);
    let key = idempotency::read_key(&state, &caller, &headers, asked)?;
    let selection = Selection { until, only, mocks };
    let draft = Box::pin(JobDraft::of_document(&state, &caller.user.id, document, selection, input, preprocess));
    let draft = async {
        let draft = draft.await?.with_fresh(fresh).with_webhook(webhook);
        match workflow_id {
            Some(id) => draft.into_unsaved_version(&state, &id).await,
            None => Ok(draft),
        }
    };
    start_job(&state, &caller, &headers, key, draft).await
}

/// Runs a workflow document, or a part of one, with simulated replies. Nothing is sent, and no job is created.
#[utoipa::path(post, path = "/workflows/dry_run", operation_id = "dry_run_document", tag = "workflows",
    request_body = DryRunRequest,
    responses((status = OK, description = "the outcome, even if the workflow failed", body = Report)))]
async fn dry_run(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(body): JsonBody<DryRunRequest>,
) -> Result<axum::Json<Report>, Problem> {
    dry_run_document(&state, &caller.user.id, body).await.map(axum::Json)
}

/// Reruns a job, from the start or from one of its steps, as a new job: with the documents of the original one, or with
/// those that are saved now.
#[utoipa::path(post, path = "/jobs/{id}/rerun", operation_id = "rerun_job", tag = "jobs",
    params(("id" = String, Path), RunHeaders),
    request_body = RerunRequest, responses(RunResponses))]
async fn rerun_job(
    State(state): State<AppState>,
    caller: Caller,
    InPath(id): InPath<String>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<RerunRequest>,
) -> Result<Response, Problem> {
    let receiver = NamedReceiver { url: body.webhook.as_deref(), events: body.webhook_events_filter.as_deref() };
    let webhook = receiver.check(&state.settings.outgoing, &caller.user.id)?;
    let mut asked = json!(["rerun", id, body.from, body.input, body.confirm_unknown]);
    add_named(&mut asked, "documents", body.version.as_ref());
    let asked = || identify_request(asked, body.fresh, receiver);
    let key = idempotency::read_key(&state, &caller, &headers, asked)?;
    let draft = async { Ok(JobDraft::of_rerun(&state, &caller.user.id, &id, body).await?.with_webhook(webhook)) };
    Box::pin(start_job(&state, &caller, &headers, key, draft)).await
}

/// Validates a workflow document without saving or running it.
#[utoipa::path(post, path = "/workflows/validate", operation_id = "validate_document", tag = "workflows",
    request_body = ValidateRequest,
    responses((status = OK, description = "the findings; empty if there are none", body = Diagnostics)))]
async fn validate(
    State(state): State<AppState>,
    caller: Caller,
    JsonBody(body): JsonBody<ValidateRequest>,
) -> Result<axum::Json<Diagnostics>, Problem> {
    let diagnostics = check_sent_workflow(&state, &caller.user.id, body.document).await?;
    Ok(axum::Json(Diagnostics { diagnostics }))
}

/// Adds a field that a request may have to what identifies it; a request without it is identified as before it existed.
fn add_named(asked: &mut serde_json::Value, name: &str, value: Option<&impl serde::Serialize>) {
    if let Some(parts) = asked.as_array_mut() {
        parts.extend(value.map(|value| json!({name: value})));
    }
}

/// Returns what identifies a request, for its idempotency key: only a fresh run, and one with a webhook, differ from what
/// earlier versions wrote.
fn identify_request(mut asked: serde_json::Value, fresh: bool, receiver: NamedReceiver<'_>) -> serde_json::Value {
    if let Some(parts) = asked.as_array_mut() {
        parts.extend(fresh.then(|| json!("fresh")));
        parts.extend(receiver.fingerprint());
    }
    asked
}

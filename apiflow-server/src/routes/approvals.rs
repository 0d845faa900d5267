//! Routes of steps that wait for somebody.

use std::collections::BTreeMap;

use apiflow_core::ports::StepStatus;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{Approval, Job, ResumeAction, ResumeRequest};
use crate::approvals::{self, Approver};
use crate::auth::Caller;
use crate::extract::{InPath, JsonBody};
use crate::problem::Problem;
use crate::show;
use crate::state::AppState;

mod form;

/// The routes of approvals.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(resume)).routes(routes!(look, answer))
}

/// Lets a job that waits for an approval go on, or ends it; an approval that comes early waits for its step.
#[utoipa::path(post, path = "/jobs/{id}/resume", operation_id = "resume_job", tag = "jobs",
    params(("id" = String, Path)), request_body = ResumeRequest,
    responses((status = ACCEPTED, description = "the job; it goes on soon", body = Job)))]
async fn resume(
    State(state): State<AppState>,
    caller: Caller,
    InPath(id): InPath<String>,
    JsonBody(body): JsonBody<ResumeRequest>,
) -> Result<(StatusCode, Json<Job>), Problem> {
    show::row(&state, &id).await?;
    let (target, row) = approvals::find(&state, &id, body.step.as_deref()).await?;
    let step_id = row.map(|row| row.step_id).or(match &target {
        apiflow_core::engine::Target::Step(step) => Some(step.clone()),
        apiflow_core::engine::Target::Any | apiflow_core::engine::Target::Ordinal(_) => None,
    });
    let name = body.approver.as_deref().unwrap_or(&caller.user.username);
    let approver = Approver::User(&caller.user.id, name);
    approvals::answer(&state, &id, target, step_id.as_deref(), approver, (body.action, body.payload)).await?;
    Ok((StatusCode::ACCEPTED, Json(show::job(&state, show::row(&state, &id).await?).await?)))
}

/// What a link to an approval tells.
#[derive(Debug, Serialize, ToSchema)]
struct Question {
    /// The job.
    job: String,
    /// The job's name.
    name: String,
    /// Id of the step.
    step: String,
    /// Whether an answer is still wanted.
    open: bool,
    /// What is waited for.
    #[schema(required)]
    approval: Option<Approval>,
    /// JSON Schema of what may come with an approval, where the document has a form.
    form: Value,
}

/// Shows what a link asks for: a page for people, JSON for programs. It answers nothing.
#[utoipa::path(get, path = "/approve/{signed}", operation_id = "show_approval", tag = "jobs", security(()),
    params(("signed" = String, Path)),
    responses((status = OK, description = "what is asked for; with `Accept: text/html` as a page", body = Question)))]
async fn look(
    State(state): State<AppState>,
    InPath(signed): InPath<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let question = question(&state, &signed).await?;
    Ok(if wants_page(&headers) { form::page(&question).into_response() } else { Json(question).into_response() })
}

/// An answer by link.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LinkAnswer {
    /// Whether to go on or to end.
    action: ResumeAction,
    /// What comes with it (default: null).
    #[serde(default)]
    payload: Value,
    /// Whose answer it is (default: nobody in particular).
    #[serde(default)]
    approver: Option<String>,
}

/// Answers by link, without a token: JSON, or the form of the page.
#[utoipa::path(post, path = "/approve/{signed}", operation_id = "answer_approval", tag = "jobs", security(()),
    params(("signed" = String, Path)), request_body = LinkAnswer,
    responses((status = OK, description = "the answer was taken; with `Accept: text/html` as a page", body = Question)))]
async fn answer(
    State(state): State<AppState>,
    InPath(signed): InPath<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let link = approvals::link(&state, &signed)?;
    let row = approvals::step_of(&state, &link).await?;
    if row.status != StepStatus::Suspended {
        return Err(approvals::no_longer_waits(format!("`{}`", row.step_id)));
    }
    let given = if is_form(&headers) {
        form::read(&question(&state, &signed).await?.form, &body)?
    } else {
        // Read as a value first: serde would take an array for an object.
        serde_json::from_slice::<Map<String, Value>>(&body)
            .and_then(|fields| serde_json::from_value(Value::Object(fields)))
            .map_err(|error| Problem::malformed(format!("the body is not an answer: {error}")))?
    };
    let approver = Approver::Link(&link, given.approver.as_deref());
    let target = apiflow_core::engine::Target::Ordinal(link.step);
    let said = (given.action, given.payload);
    approvals::answer(&state, &link.job, target, Some(&row.step_id), approver, said).await?;
    let question = Question { open: false, ..question(&state, &signed).await? };
    Ok(if wants_page(&headers) { form::thanks(given.action).into_response() } else { Json(question).into_response() })
}

async fn question(state: &AppState, signed: &str) -> Result<Question, Problem> {
    let link = approvals::link(state, signed)?;
    let row = approvals::step_of(state, &link).await?;
    let job = show::row(state, &link.job).await?;
    let rule = approvals::rule(state, &link.job, &row.step_id).await?;
    let form = rule.resume_form.as_ref().and_then(|form| form.get("schema")).cloned().unwrap_or_default();
    // Whoever has one link need not see the others.
    let approval = approvals::shown(state, &link.job, row.ordinal, row.approval.as_ref())?
        .map(|approval| Approval { urls: Vec::new(), ..approval });
    let open = row.status == StepStatus::Suspended;
    Ok(Question { job: job.id, name: job.name, step: row.step_id, open, approval, form })
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains("text/html"))
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

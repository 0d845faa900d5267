//! Routes of steps that wait for approval.

use apiflow_core::call::without_byte_order_mark;
use apiflow_core::ports::{JobRow, StepRow, StepStatus, Timestamp};
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::api::{Job, ResumeAction, ResumeRequest};
use crate::http::base_url::base_url;
use crate::http::extract::{InPath, JsonBody, deserialize_value};
use crate::http::problem::Problem;
use crate::http::strict_json;
use crate::jobs::approvals;
use crate::jobs::approvals::{AnsweredGate, Approver, Link};
use crate::jobs::lookup;
use crate::jobs::views;
use crate::state::AppState;
use crate::users::Caller;

use self::form::FormAnswers;
use self::question::{LinkAnswer, Question};

mod form;
mod html;
mod page;
mod question;
mod subject;

/// The routes of approvals.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(resume_job))
        .routes(routes!(get_approval))
        .routes(routes!(open_approval_link, answer_approval_link))
}

/// Approves or disapproves a job that waits for approval. An answer that names its step may come before the gate is
/// reached: it is validated in the same way and counts once the gate is reached.
#[utoipa::path(post, path = "/jobs/{id}/resume", operation_id = "resume_job", tag = "jobs",
    params(("id" = String, Path)), request_body = ResumeRequest,
    responses((status = ACCEPTED, description = "the job; it continues soon", body = Job)))]
async fn resume_job(
    State(state): State<AppState>,
    caller: Caller,
    InPath(id): InPath<String>,
    JsonBody(body): JsonBody<ResumeRequest>,
) -> Result<(StatusCode, Json<Job>), Problem> {
    let gate = approvals::find_gate(&state, &id, body.step.as_deref()).await?;
    approvals::answer_gate(&state, &id, gate, Approver::User(&caller.user), (body.action, body.payload)).await?;
    Ok((StatusCode::ACCEPTED, Json(views::read_job(&state, &caller, &id).await?)))
}

/// Reads the approval gate after a step, with the form for an approval's payload.
#[utoipa::path(get, path = "/jobs/{id}/steps/{step}/approval", operation_id = "get_approval", tag = "jobs",
    params(("id" = String, Path), ("step" = String, Path, description = "the step's `ordinal`, or its `id` (the first step with that id)")),
    responses((status = OK, description = "the approval gate", body = Question)))]
async fn get_approval(
    State(state): State<AppState>,
    caller: Caller,
    InPath((id, step)): InPath<(String, String)>,
) -> Result<Json<Question>, Problem> {
    let job = lookup::find_job(&state, &id).await?;
    let ordinal = lookup::find_ordinal(&state, &id, &step).await?;
    let row = state.store.list_steps(&id, ordinal.saturating_sub(1), 1).await?.pop();
    let row = row.ok_or_else(|| Problem::not_found(format!("job `{id}` has no step `{step}`")))?;
    let links_at = approvals::url_of_links(&caller, job.created_by.as_deref());
    Ok(Json(approval_question(&state, job, row, links_at).await?))
}

/// Shows the approval gate of a link: a page for browsers, JSON for programs. Does not answer it.
#[utoipa::path(get, path = "/approve/{signed}", operation_id = "show_approval", tag = "jobs", security(()),
    params(("signed" = String, Path)),
    responses((status = OK, description = "the approval gate; an HTML page with `Accept: text/html`", body = Question)))]
async fn open_approval_link(
    State(state): State<AppState>,
    InPath(signed): InPath<String>,
    parts: Parts,
) -> Result<Response, Problem> {
    let is_page = wants_page(&parts.headers);
    let question = read_question(&state, &signed, &artifact_base(&state, &parts)).await;
    match (question, is_page) {
        (Ok(question), true) => Ok(page::question_page(&question)),
        (Ok(question), false) => Ok(Json(question).into_response()),
        (Err(problem), true) => Ok(page::problem_page(&problem)),
        (Err(problem), false) => Err(problem),
    }
}

async fn read_question(state: &AppState, signed: &str, artifacts_at: &str) -> Result<Question, Problem> {
    question_of_link(state, &approvals::read_link(state, signed)?, artifacts_at).await
}

/// Returns what links to artifacts begin with: nothing on a page, which is on the same host.
fn artifact_base(state: &AppState, parts: &Parts) -> String {
    if wants_page(&parts.headers) {
        String::new()
    } else {
        base_url(&state.settings.public_url, state.settings.has_public_url, parts)
    }
}

/// Answers an approval gate by link, without a token: as JSON, or as the form of the page.
#[utoipa::path(post, path = "/approve/{signed}", operation_id = "answer_approval", tag = "jobs", security(()),
    params(("signed" = String, Path)), request_body = LinkAnswer,
    responses((status = OK, description = "the answer was accepted; an HTML page with `Accept: text/html`", body = Question)))]
async fn answer_approval_link(
    State(state): State<AppState>,
    InPath(signed): InPath<String>,
    parts: Parts,
    body: Bytes,
) -> Result<Response, Problem> {
    let (is_page, artifacts_at) = (wants_page(&parts.headers), artifact_base(&state, &parts));
    let entered =
        if is_form(&parts.headers) { Some(FormAnswers::from_body(without_byte_order_mark(&body))?) } else { None };
    let answered = answer_link(&state, &signed, entered.as_ref(), &body, &artifacts_at).await;
    match answered {
        Ok((question, action)) if is_page => Ok(page::thanks_page(action, &question)),
        Ok((question, _)) => Ok(Json(question).into_response()),
        Err(problem) if is_page => match (read_question(&state, &signed, &artifacts_at).await, entered) {
            (Ok(question), Some(entered)) if question.open => Ok(page::refused_page(&question, &entered, &problem)),
            (Ok(_) | Err(_), _) => Ok(page::problem_page(&problem)),
        },
        Err(problem) => Err(problem),
    }
}

/// Sends the answer to the job; returns the gate as it is then. `entered` is that of a form, `body` any other.
async fn answer_link(
    state: &AppState,
    signed: &str,
    entered: Option<&FormAnswers>,
    body: &[u8],
    artifacts_at: &str,
) -> Result<(Question, ResumeAction), Problem> {
    let link = approvals::read_link(state, signed)?;
    let row = approvals::step_of(state, &link).await?;
    if row.status != StepStatus::Suspended {
        return Err(approvals::no_longer_waits(format!("`{}`", row.step_id)));
    }
    let given: LinkAnswer = match entered {
        Some(entered) => entered.to_answer(&question_of_link(state, &link, artifacts_at).await?.form)?,
        None => deserialize_value(strict_json::parse(body)?)?,
    };
    let approver = Approver::Link(&link, given.approver.as_deref());
    let gate = AnsweredGate::OfStep(Box::new(row));
    approvals::answer_gate(state, &link.job, gate, approver, (given.action, given.payload)).await?;
    let question = Question { open: false, ..question_of_link(state, &link, artifacts_at).await? };
    Ok((question, given.action))
}

/// Links are hidden: the owner of one link need not see the others.
async fn question_of_link(state: &AppState, link: &Link, artifacts_at: &str) -> Result<Question, Problem> {
    let row = approvals::step_of(state, link).await?;
    let until = row.approval.as_ref().and_then(|gate| gate["until"].as_i64()).unwrap_or_default();
    let mut question = approval_question(state, lookup::find_job(state, &link.job).await?, row, None).await?;
    subject::sign_artifacts(state, &link.job, Timestamp(until), artifacts_at, &mut question.output).await?;
    Ok(question)
}

async fn approval_question(
    state: &AppState,
    job: JobRow,
    row: StepRow,
    links_at: Option<&str>,
) -> Result<Question, Problem> {
    let rule = approvals::gate_of_step(state, &row, &job.id).await?;
    let form = rule.resume_form.as_ref().and_then(|form| form.get("schema")).cloned().unwrap_or_default();
    let approval = approvals::approval_view(state, &job.id, row.ordinal, row.approval.as_ref(), links_at)?;
    let output = subject::read_subject(state, &job.id, &row).await?;
    let open = row.status == StepStatus::Suspended;
    Ok(Question { job: job.id, name: job.name, step: row.step_id, open, approval, form, output })
}

fn wants_page(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains("text/html"))
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

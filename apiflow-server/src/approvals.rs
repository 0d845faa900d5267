//! Steps that wait for somebody: who may answer, how an answer finds its gate, and links that work without a token.

use apiflow_core::engine::Target;
use apiflow_core::openflow::{Module, OpenFlow, Suspend, find_module, find_module_by};
use apiflow_core::ports::{StepRow, StepStatus, Timestamp};
use apiflow_core::runtime::Approval as Answer;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::{Approval, ResumeAction};
use crate::moment::text;
use crate::problem::Problem;
use crate::routes::API;
use crate::state::AppState;
use crate::{input, show};

/// What links are signed for: a text signed for something else opens no gate.
const PURPOSE: &str = "approval link";

/// What a step's row says of its gate.
#[derive(Deserialize)]
struct Gate {
    required: u32,
    until: Timestamp,
}

/// What a link stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Link {
    /// The job.
    pub(crate) job: String,
    /// The step's ordinal.
    pub(crate) step: u64,
    /// Which of the approvals wanted: the same link counts once.
    number: u32,
}

/// Whose answer it is.
pub(crate) enum Approver<'a> {
    /// A user, by id and by the name that the job shows.
    User(&'a str, &'a str),
    /// Whoever has the link, by the name that they give.
    Link(&'a Link, Option<&'a str>),
}

/// What a step waits for, with its links.
pub(crate) fn shown(state: &AppState, job: &str, step: u64, gate: Option<&Value>) -> Result<Option<Approval>, Problem> {
    let Some(Gate { required, until }) = gate.and_then(|gate| Gate::deserialize(gate).ok()) else { return Ok(None) };
    let mut urls = Vec::new();
    for number in 1..=required.min(MOST_LINKS) {
        let link = Link { job: job.to_owned(), step, number };
        let signed = state.secrets.sign(PURPOSE, &serde_json::to_string(&link).map_err(Problem::internal)?)?;
        urls.push(format!("{}{API}/approve/{signed}", state.settings.public_url));
    }
    Ok(Some(Approval { required, until: text(until), urls }))
}

/// Links that a step shows, at most.
const MOST_LINKS: u32 = 20;

/// What a link stands for, or 404.
pub(crate) fn link(state: &AppState, signed: &str) -> Result<Link, Problem> {
    let opened = state.secrets.verify(PURPOSE, signed).and_then(|text| serde_json::from_str(&text).ok());
    opened.ok_or_else(|| Problem::not_found("this approval link is none that this server gave"))
}

/// The step that a link is for, as it stands now.
pub(crate) async fn step_of(state: &AppState, link: &Link) -> Result<StepRow, Problem> {
    let rows = state.store.steps(&link.job, link.step.saturating_sub(1), 1).await?;
    let row = rows.into_iter().next().filter(|row| row.ordinal == link.step);
    row.ok_or_else(|| Problem::not_found("the job of this approval link was deleted"))
}

/// The settings of the gate behind a step.
pub(crate) async fn rule(state: &AppState, job: &str, step_id: &str) -> Result<Suspend, Problem> {
    let flows = flows(state, job).await?;
    // A workflow that is called may have a step of the same id.
    let gate = |module: &Module| module.id == step_id && module.suspend.is_some();
    if let Some(rule) = flows.iter().find_map(|flow| find_module_by(flow, &gate)?.suspend.clone()) {
        return Ok(rule);
    }
    let message = if flows.iter().any(|flow| find_module(flow, step_id).is_some()) {
        format!("step `{step_id}` asks for no approval: it has no `suspend`")
    } else {
        format!("job `{job}` has no step `{step_id}`")
    };
    Err(Problem::fault("/step", message))
}

/// The document of a job, and the workflows that it may call.
async fn flows(state: &AppState, job: &str) -> Result<Vec<OpenFlow>, Problem> {
    let bundle = state.store.load(job).await?.bundle;
    let documents = std::iter::once(&bundle.document).chain(bundle.catalog.workflows.values());
    Ok(documents.filter_map(|document| serde_json::from_value(document.clone()).ok()).collect())
}

/// Finds the gate that is meant; `None`: the next one, whichever it is.
pub(crate) async fn find(
    state: &AppState,
    job: &str,
    step: Option<&str>,
) -> Result<(Target, Option<StepRow>), Problem> {
    let waiting = waiting(state, job).await?;
    let Some(step) = step else {
        return match waiting.as_slice() {
            [] if flows(state, job).await?.iter().all(|flow| find_module_by(flow, &has_gate).is_none()) => {
                let message = format!("no step of job `{job}` asks for an approval: none has a `suspend`");
                Err(Problem::new(StatusCode::CONFLICT, "not-waiting", message))
            }
            [] => Ok((Target::Any, None)),
            [row] => Ok((Target::Ordinal(row.ordinal), Some(row.clone()))),
            several => Err(ambiguous("several steps wait", several)),
        };
    };
    let named: Vec<StepRow> = waiting.into_iter().filter(|row| row.step_id == step).collect();
    match named.as_slice() {
        [row] => Ok((Target::Ordinal(row.ordinal), Some(row.clone()))),
        [] => match show::ordinal(state, job, step).await {
            Ok(ordinal) if step.parse() == Ok(ordinal) => match state.store.steps(job, ordinal - 1, 1).await?.pop() {
                Some(row) if row.is_over() => Err(no_longer_waits(format!("{ordinal} (`{}`)", row.step_id))),
                row => Ok((Target::Ordinal(ordinal), row)),
            },
            // It may come before the step itself.
            Ok(_) | Err(_) => Ok((Target::Step(step.to_owned()), None)),
        },
        several => Err(ambiguous(&format!("several steps `{step}` wait"), several)),
    }
}

/// What is said to whoever answers a gate that is behind.
pub(crate) fn no_longer_waits(step: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::CONFLICT, "answered", format!("step {step} no longer waits for an approval"))
}

fn has_gate(module: &Module) -> bool {
    module.suspend.is_some()
}

fn ambiguous(what: &str, rows: &[StepRow]) -> Problem {
    let ordinals = rows.iter().map(|row| format!("{} (`{}`)", row.ordinal, row.step_id)).collect::<Vec<_>>().join(", ");
    let message = format!("{what} for an approval: name one as `step` by its ordinal, one of {ordinals}");
    Problem::new(StatusCode::CONFLICT, "ambiguous", message)
}

async fn waiting(state: &AppState, job: &str) -> Result<Vec<StepRow>, Problem> {
    let mut waiting = Vec::new();
    let mut after = 0;
    loop {
        let rows = state.store.steps(job, after, 500).await?;
        let Some(last) = rows.last() else { return Ok(waiting) };
        after = last.ordinal;
        waiting.extend(rows.into_iter().filter(|row| row.status == StepStatus::Suspended));
    }
}

/// Checks an answer against the gate's settings and gives it to the job.
pub(crate) async fn answer(
    state: &AppState,
    job: &str,
    target: Target,
    step_id: Option<&str>,
    approver: Approver<'_>,
    (action, payload): (ResumeAction, Value),
) -> Result<(), Problem> {
    let row = show::row(state, job).await?;
    if row.patch.status.is_final() {
        return Err(Problem::new(StatusCode::CONFLICT, "ended", format!("job `{job}` has ended already")));
    }
    if let Some(step_id) = step_id {
        let rule = rule(state, job, step_id).await?;
        allow(&rule, &approver, row.created_by.as_deref())?;
        if action == ResumeAction::Resume {
            check_payload(&rule, &payload)?;
        }
    }
    let place = match &target {
        Target::Any => "any".to_owned(),
        Target::Step(id) => format!("step-{id}"),
        Target::Ordinal(ordinal) => ordinal.to_string(),
    };
    let (who, name) = match approver {
        Approver::User(id, name) => (format!("user-{id}"), Some(name.to_owned())),
        Approver::Link(link, name) => (format!("link-{}", link.number), name.map(str::to_owned)),
    };
    // An answer to a gate that is not there yet may be for one of several.
    let key = match &target {
        Target::Ordinal(_) => format!("{place}-{who}"),
        Target::Any | Target::Step(_) => format!("{place}-{who}-{}", uuid::Uuid::now_v7()),
    };
    let answer = Answer { target, approver: name, disapproves: action == ResumeAction::Cancel, payload };
    if !state.runtime.approve(job, &key, answer).await? {
        let message = "this approval was given already; another one has to come from somebody else, or by another link";
        return Err(Problem::new(StatusCode::CONFLICT, "answered", message));
    }
    Ok(())
}

/// Refuses whom the document does not let approve. Source: OpenFlow, `suspend`.
fn allow(rule: &Suspend, approver: &Approver<'_>, creator: Option<&str>) -> Result<(), Problem> {
    let is_set = |name: &str| rule.extra.get(name) == Some(&Value::Bool(true));
    match approver {
        Approver::Link(..) if is_set("user_auth_required") || is_set("self_approval_disabled") => {
            Err(Problem::forbidden("this approval needs a user: answer it with `POST /api/v1/jobs/{id}/resume`"))
        }
        Approver::User(id, _) if is_set("self_approval_disabled") && creator == Some(id) => {
            Err(Problem::forbidden("whoever started the job may not approve it (`self_approval_disabled`)"))
        }
        Approver::Link(..) | Approver::User(..) => Ok(()),
    }
}

/// Checks what comes with an approval against the gate's form.
fn check_payload(rule: &Suspend, payload: &Value) -> Result<(), Problem> {
    let Some(schema) = rule.resume_form.as_ref().and_then(|form| form.get("schema")) else { return Ok(()) };
    let Value::Object(fields) = payload else {
        return Err(Problem::fault("/payload", "the form of this approval wants an object"));
    };
    input::checked_at("/payload", "the payload does not match the form", Some(schema), fields.clone()).map(drop)
}

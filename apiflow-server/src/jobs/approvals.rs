//! Steps that wait for approval: who may answer, how an answer finds its gate, and links that work without a token.

mod gate_rules;

pub(crate) use self::gate_rules::gate_of_step;

use apiflow_core::engine::GateSelector;
use apiflow_core::openflow::Suspend;
use apiflow_core::ports::{JobRow, StepRow, StepStatus, Timestamp};
use apiflow_core::runtime::Approval as Answer;
use apiflow_store::UserRow;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::BASE_PATH;
use crate::api::{Approval, ResumeAction};
use crate::http::problem::Problem;
use crate::http::problem_codes;
use crate::jobs::{input, lookup};
use crate::state::AppState;
use crate::users::Caller;
use crate::users::usernames::UNVERIFIED_NAME_SUFFIX;

/// The purpose that links are signed for: a text that was signed for another purpose is refused.
const PURPOSE: &str = "approval link";

/// Longest name that may be entered on a link, in characters.
const MAX_TYPED_NAME_CHARS: usize = 100;

/// The gate's state in the row of a step.
#[derive(Deserialize)]
struct Gate {
    required: u32,
    until: Timestamp,
    /// Number of approvals received so far.
    #[serde(default)]
    given: u32,
    /// The approvers whose answers have been counted.
    #[serde(default)]
    answered_by: Vec<String>,
}

/// The content of a link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Link {
    /// Id of the job.
    pub(crate) job: String,
    /// The step's ordinal.
    pub(crate) step: u64,
    /// Index among the required approvals: the same link counts once.
    number: u32,
}

/// The person who answers.
pub(crate) enum Approver<'a> {
    /// A user who is logged in.
    User(&'a UserRow),
    /// A person who has the link, with the name that they entered.
    Link(&'a Link, Option<&'a str>),
}

impl Approver<'_> {
    /// Returns the key that the answer counts for: a gate counts one answer per key.
    fn counting_identity(&self) -> String {
        match self {
            Self::User(user) => format!("user-{}", user.id),
            Self::Link(link, _) => format!("link-{}", link.number),
        }
    }

    /// Returns the name that the job shows. A name that was entered on a link is marked, because anyone may enter it.
    fn shown_name(&self) -> Result<Option<String>, Problem> {
        let typed = match self {
            Self::User(user) => return Ok(Some(user.username.clone())),
            Self::Link(_, typed) => typed.map(str::trim).filter(|name| !name.is_empty()),
        };
        if typed.is_some_and(|name| name.chars().count() > MAX_TYPED_NAME_CHARS || name.chars().any(char::is_control)) {
            let message =
                format!("the name must have at most {MAX_TYPED_NAME_CHARS} characters and no control characters");
            return Err(Problem::single_fault("/approver", message));
        }
        Ok(typed.map(|name| format!("{name} {UNVERIFIED_NAME_SUFFIX}")))
    }
}

/// Returns the server's URL for a job's approval links if the caller may see them: anyone who has one can answer without
/// an account. No scope of a token permits an answer.
pub(crate) fn url_of_links<'c>(caller: &'c Caller, creator: Option<&str>) -> Option<&'c str> {
    let may_see = !caller.has_scopes() && (caller.user.is_admin || creator == Some(&caller.user.id));
    may_see.then_some(&caller.base_url)
}

/// Returns the approvals that a step waits for; with their links if the server's URL for them is given.
pub(crate) fn approval_view(
    state: &AppState,
    job: &str,
    step: u64,
    gate: Option<&Value>,
    links_at: Option<&str>,
) -> Result<Option<Approval>, Problem> {
    let Some(gate) = gate.and_then(|gate| Gate::deserialize(gate).ok()) else { return Ok(None) };
    let Gate { required, until, given, answered_by: _ } = gate;
    let mut urls = Vec::new();
    let numbers = links_at.into_iter().flat_map(|url| (1..=required.min(MAX_LINKS)).map(move |number| (url, number)));
    for (url, number) in numbers {
        let link = Link { job: job.to_owned(), step, number };
        let signed = state.secrets.sign_text(PURPOSE, &serde_json::to_string(&link).map_err(Problem::internal)?)?;
        urls.push(format!("{url}{BASE_PATH}/approve/{signed}"));
    }
    let remaining = required.saturating_sub(given);
    Ok(Some(Approval { required, given, remaining, until: until.to_rfc3339(), urls }))
}

/// Maximum number of links that a step shows.
const MAX_LINKS: u32 = 20;

/// Reads a link, or returns 404.
pub(crate) fn read_link(state: &AppState, signed: &str) -> Result<Link, Problem> {
    let opened = state.secrets.verify_text(PURPOSE, signed).and_then(|text| serde_json::from_str(&text).ok());
    opened.ok_or_else(|| Problem::not_found("invalid approval link"))
}

/// Returns the current state of the step of a link.
pub(crate) async fn step_of(state: &AppState, link: &Link) -> Result<StepRow, Problem> {
    let rows = state.store.list_steps(&link.job, link.step.saturating_sub(1), 1).await?;
    let row = rows.into_iter().next().filter(|row| row.ordinal == link.step);
    row.ok_or_else(|| Problem::not_found("the job of this approval link was deleted"))
}

/// The gate that an answer is for.
pub(crate) enum AnsweredGate {
    /// The gate of a step that has been reached, or is about to be.
    OfStep(Box<StepRow>),
    /// The next gate after a step with this id, which has not been reached.
    OfId(String),
}

/// Finds the gate by the step's name; without a name, the one that is open.
pub(crate) async fn find_gate(state: &AppState, job: &str, step: Option<&str>) -> Result<AnsweredGate, Problem> {
    active_job(state, job).await?;
    let waiting = waiting_steps(state, job).await?;
    let Some(step) = step else {
        return match waiting.as_slice() {
            [] => Err(gate_rules::no_open_gate(state, job).await?),
            [row] => Ok(AnsweredGate::OfStep(Box::new(row.clone()))),
            several => Err(ambiguous_gate("several steps wait", several)),
        };
    };
    let named: Vec<StepRow> = waiting.into_iter().filter(|row| row.step_id == step).collect();
    match named.as_slice() {
        [row] => Ok(AnsweredGate::OfStep(Box::new(row.clone()))),
        [] => match lookup::find_ordinal(state, job, step).await {
            Ok(ordinal) if step.parse() == Ok(ordinal) => {
                match state.store.list_steps(job, ordinal - 1, 1).await?.pop() {
                    Some(row) if row.is_over() => Err(no_longer_waits(format!("{ordinal} (`{}`)", row.step_id))),
                    Some(row) => Ok(AnsweredGate::OfStep(Box::new(row))),
                    None => Ok(AnsweredGate::OfId(step.to_owned())),
                }
            }
            // The answer may come before the step itself.
            Ok(_) | Err(_) => Ok(AnsweredGate::OfId(step.to_owned())),
        },
        several => Err(ambiguous_gate(&format!("several steps `{step}` wait"), several)),
    }
}

/// The problem of a gate that has been passed.
pub(crate) fn no_longer_waits(step: impl std::fmt::Display) -> Problem {
    Problem::new(StatusCode::CONFLICT, problem_codes::ANSWERED, format!("step {step} no longer waits for an approval"))
}

fn ambiguous_gate(what: &str, rows: &[StepRow]) -> Problem {
    let ordinals = rows.iter().map(|row| format!("{} (`{}`)", row.ordinal, row.step_id)).collect::<Vec<_>>().join(", ");
    let message = format!("{what} for an approval: name one as `step` by its ordinal, one of {ordinals}");
    Problem::new(StatusCode::CONFLICT, problem_codes::AMBIGUOUS, message)
}

async fn waiting_steps(state: &AppState, job: &str) -> Result<Vec<StepRow>, Problem> {
    let mut waiting = Vec::new();
    let mut after = 0;
    loop {
        let rows = state.store.list_steps(job, after, 500).await?;
        let Some(last) = rows.last() else { return Ok(waiting) };
        after = last.ordinal;
        waiting.extend(rows.into_iter().filter(|row| row.status == StepStatus::Suspended));
    }
}

/// Validates an answer against the gate's settings and sends it to the job: the same rules apply whether the gate is
/// open or has not been reached yet.
///
/// Architecture invariant: each approver counts once at a gate, no matter how early they answer. Before the gate this
/// function refuses a second answer by its key; at the gate by the step's row; and the engine counts one answer per
/// key.
pub(crate) async fn answer_gate(
    state: &AppState,
    job: &str,
    gate: AnsweredGate,
    approver: Approver<'_>,
    (action, payload): (ResumeAction, Value),
) -> Result<(), Problem> {
    let row = active_job(state, job).await?;
    let (target, place, rules) = match gate {
        AnsweredGate::OfStep(step) => {
            if has_answered(&step, &approver) {
                return Err(answered_already());
            }
            let rule = gate_rules::gate_of_step(state, &step, job).await?;
            (GateSelector::Ordinal(step.ordinal), step.ordinal.to_string(), vec![rule])
        }
        AnsweredGate::OfId(id) => {
            let rules = gate_rules::gates_of_id(state, job, &id).await?;
            (GateSelector::Step(id.clone()), format!("step-{id}"), rules)
        }
    };
    for rule in &rules {
        gate_rules::check_approver(rule, &approver, row.created_by.as_deref())?;
        if action == ResumeAction::Resume {
            check_payload(state, &approver, rule, &payload).await?;
        }
    }
    let identity = approver.counting_identity();
    let key = format!("{identity}-{place}");
    let answer = Answer {
        target,
        approver: approver.shown_name()?,
        counts_for: Some(identity),
        disapproves: action == ResumeAction::Cancel,
        payload,
    };
    if state.runtime.approve_gate(job, &key, answer).await? { Ok(()) } else { Err(answered_already()) }
}

/// Returns a job that has not ended, or 409.
async fn active_job(state: &AppState, job: &str) -> Result<JobRow, Problem> {
    let row = lookup::find_job(state, job).await?;
    if row.state.status.is_final() {
        return Err(Problem::new(StatusCode::CONFLICT, problem_codes::ENDED, format!("job `{job}` has ended already")));
    }
    Ok(row)
}

/// Whether a step's gate has counted an answer of this approver, perhaps before it was reached.
fn has_answered(step: &StepRow, approver: &Approver<'_>) -> bool {
    let gate = step.approval.as_ref().and_then(|gate| Gate::deserialize(gate).ok());
    gate.is_some_and(|gate| gate.answered_by.contains(&approver.counting_identity()))
}

fn answered_already() -> Problem {
    let message =
        "you have already answered this approval; the next answer must come from another user or by another link";
    Problem::new(StatusCode::CONFLICT, problem_codes::ANSWERED, message)
}

/// Validates an approval's payload against the gate's form.
async fn check_payload(
    state: &AppState,
    approver: &Approver<'_>,
    rule: &Suspend,
    payload: &Value,
) -> Result<(), Problem> {
    let Some(schema) = rule.resume_form.as_ref().and_then(|form| form.get("schema")) else { return Ok(()) };
    let Value::Object(fields) = payload else {
        return Err(Problem::single_fault("/payload", "the form of this approval requires an object"));
    };
    // All callers with a link share one user's turns.
    let user = match approver {
        Approver::User(user) => user.id.as_str(),
        Approver::Link(..) => "",
    };
    input::check_input(state, user, input::PAYLOAD, Some(schema), fields.clone()).await.map(drop)
}

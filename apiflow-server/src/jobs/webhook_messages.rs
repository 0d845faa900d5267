//! The messages that announce jobs, composed when they are sent: what has been erased by then is in none.

use apiflow_core::ports::{JobRow, StepStatus, WebhookDelivery, WebhookEvent};
use serde::Serialize;
use serde_json::Value;

use crate::api::{Approval, JobSummary};
use crate::http::problem::Problem;
use crate::jobs::views::{job_summary, read_input, read_output};
use crate::jobs::{approvals, lookup};
use crate::state::AppState;

/// Maximum size of a job's input, and of its output, in a message, in bytes of JSON.
const MAX_VALUE_BYTES: usize = 256 * 1024;

/// A message as it is sent.
#[derive(Serialize)]
struct Message {
    /// `job.` and the event.
    r#type: String,
    /// When the event happened.
    timestamp: String,
    data: AnnouncedJob,
}

/// A job without its steps.
#[derive(Serialize)]
struct AnnouncedJob {
    #[serde(flatten)]
    summary: JobSummary,
    input: Value,
    output: Value,
    /// Values that are too large for a message, and null in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    omitted: Vec<&'static str>,
    /// The step that waits for approval.
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<WaitingStep>,
}

/// A step that waits for approval, with what is needed to answer it.
#[derive(Serialize)]
struct WaitingStep {
    id: String,
    ordinal: u64,
    path: String,
    /// Whether it still waits.
    open: bool,
    approval: Option<Approval>,
    /// JSON Schema of an approval's payload; null if the document has no form.
    form: Value,
}

/// Composes the body of a message.
///
/// # Errors
/// 404 if the job was deleted, and problems of the store.
pub(super) async fn compose_message(state: &AppState, delivery: &WebhookDelivery) -> Result<String, Problem> {
    let row = lookup::find_job(state, &delivery.job).await?;
    let step = match (delivery.event, delivery.step) {
        (WebhookEvent::Approval, Some(ordinal)) => waiting_step(state, &row, ordinal, &delivery.signer).await?,
        (WebhookEvent::Approval | WebhookEvent::Completed | WebhookEvent::Failed | WebhookEvent::Cancelled, _) => None,
    };
    let mut omitted = Vec::new();
    let input = bound_value("input", read_input(state, &row.id).await?, &mut omitted);
    let output = bound_value("output", read_output(state, &row).await?, &mut omitted);
    let message = Message {
        r#type: format!("job.{}", delivery.event.as_str()),
        timestamp: delivery.at.to_rfc3339(),
        data: AnnouncedJob { summary: job_summary(row), input, output, omitted, step },
    };
    serde_json::to_string(&message).map_err(Problem::internal)
}

/// Returns a value, or null if it is too large.
fn bound_value(name: &'static str, value: Value, omitted: &mut Vec<&'static str>) -> Value {
    let size = serde_json::to_vec(&value).map_or(usize::MAX, |text| text.len());
    if size <= MAX_VALUE_BYTES {
        return value;
    }
    omitted.push(name);
    Value::Null
}

/// Links that work without an account are told only to a receiver of the user who started the job.
async fn waiting_step(
    state: &AppState,
    job: &JobRow,
    ordinal: u64,
    signer: &str,
) -> Result<Option<WaitingStep>, Problem> {
    let rows = state.store.list_steps(&job.id, ordinal.saturating_sub(1), 1).await?;
    let Some(row) = rows.into_iter().find(|row| row.ordinal == ordinal) else { return Ok(None) };
    let links_at = (job.created_by.as_deref() == Some(signer)).then_some(state.settings.public_url.as_str());
    let approval = approvals::approval_view(state, &job.id, ordinal, row.approval.as_ref(), links_at)?;
    // Without a form if the document was erased.
    let rule = approvals::gate_of_step(state, &row, &job.id).await.ok();
    let form = rule.and_then(|rule| rule.resume_form?.get("schema").cloned()).unwrap_or_default();
    let open = row.status == StepStatus::Suspended;
    Ok(Some(WaitingStep { id: row.step_id, ordinal, path: row.path, open, approval, form }))
}

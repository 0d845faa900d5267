//! Reruns a job, from the start or from one of its steps.

use std::sync::Arc;

use apiflow_core::catalog::{Catalog, Connector, Node};
use apiflow_core::digest::hash_text;
use apiflow_core::ports::{JobBundle, JobRow, StepRow, StepStatus};
use apiflow_core::runtime::{TakenOver, taken_over};
use axum::http::StatusCode;
use serde_json::{Map, Value};

use crate::api::{RerunRequest, RerunVersion};
use crate::http::problem::Problem;
use crate::http::problem_codes;
use crate::jobs::prepared_workflows::{check_workflow_input, prepare_bundle, prepare_saved};
use crate::jobs::start_job::JobDraft;
use crate::jobs::workflow_cache::PreparedWorkflow;
use crate::jobs::{input, lookup, views};
use crate::state::AppState;

impl JobDraft {
    /// Prepares a rerun of a job that has ended, with its original documents or with those that are saved now.
    pub(crate) async fn of_rerun(state: &AppState, user: &str, id: &str, asked: RerunRequest) -> Result<Self, Problem> {
        let row = lookup::find_job(state, id).await?;
        if !row.state.status.is_final() {
            let message = format!("job `{id}` has not ended: wait for it, or cancel it first");
            return Err(Problem::new(StatusCode::CONFLICT, problem_codes::ACTIVE, message));
        }
        let steps = all_steps(state, id).await?;
        if asked.version == Some(RerunVersion::Saved)
            && let Some(node) = &row.node_id
        {
            return Self::of_saved_node(state, &row, node, &steps, asked).await;
        }
        let Documents { workflow, version } = match asked.version.unwrap_or_default() {
            RerunVersion::Job => original_documents(state, user, &row).await?,
            RerunVersion::Saved => saved_documents(state, user, &row).await?,
        };
        let bundle = workflow.prepared.bundle();
        let from = asked.from.as_deref().map(|step| find_place(&bundle.document, id, step, &steps)).transpose()?;
        if let (Some((_, step)), Some(RerunVersion::Saved)) = (&from, asked.version)
            && !workflow.prepared.program().modules().any(|module| module.id == *step)
        {
            let message = format!(
                "the saved workflow has no step `{step}` any more: name another step, or rerun with `\"version\": \"job\"`"
            );
            return Err(Problem::single_fault("/from", message));
        }
        let taken_over = match &from {
            None => TakenOver::default(),
            Some((path, step)) => taken_over(&state.runtime, id, &workflow.prepared, (path, step)).await?,
        };
        if !asked.confirm_unknown {
            refuse_unsettled(state, id, steps.iter().filter(|row| !taken_over.holds_step(&row.path, &row.step_id)))
                .await?;
        }
        // The flow's input is the preprocessor's original result.
        let preprocess = views::was_preprocessed(state, id).await?;
        let input = match (asked.input, views::read_input(state, id).await?) {
            (Some(input), _) => check_rerun_input(state, user, row.node_id.as_deref(), &workflow, input).await?,
            // The saved workflow may declare other inputs.
            (None, Value::Object(input)) if asked.version == Some(RerunVersion::Saved) && !preprocess => {
                check_workflow_input(state, user, &workflow, input).await?
            }
            (None, input) => input,
        };
        let webhook = state.store.read_job_webhook(id).await?;
        let draft = Self::of_prepared(row.name, &workflow, input);
        Ok(Self {
            workflow_id: row.workflow_id,
            workflow_version: version,
            node_id: row.node_id,
            rerun_of: Some(id.to_owned()),
            preprocess,
            fresh: asked.fresh,
            taken_over,
            webhook,
            ..draft
        })
    }

    /// Prepares a rerun of a job of a node, with the node as it is saved now.
    async fn of_saved_node(
        state: &AppState,
        row: &JobRow,
        node: &str,
        steps: &[StepRow],
        asked: RerunRequest,
    ) -> Result<Self, Problem> {
        if !asked.confirm_unknown {
            refuse_unsettled(state, &row.id, steps.iter()).await?;
        }
        let input = match asked.input {
            Some(input) => input,
            None => views::read_input(state, &row.id).await?.as_object().cloned().unwrap_or_default(),
        };
        let webhook = state.store.read_job_webhook(&row.id).await?;
        let draft = Self::of_node(state, node, input).await?;
        Ok(Self { rerun_of: Some(row.id.clone()), fresh: asked.fresh, webhook, ..draft })
    }
}

/// What a rerun runs.
struct Documents {
    workflow: Arc<PreparedWorkflow>,
    /// The version, if it was saved.
    version: Option<u64>,
}

/// Prepares the documents that a job ran.
async fn original_documents(state: &AppState, user: &str, row: &JobRow) -> Result<Documents, Problem> {
    let bundle = state.store.load_job(&row.id).await?.bundle;
    refuse_unchecked(&row.id, &bundle)?;
    let digest = hash_text(bundle.json());
    let workflow = prepare_bundle(state, user, bundle.into_bundle(), digest).await?;
    Ok(Documents { workflow, version: row.workflow_version })
}

/// Prepares a job's workflow as it is saved now.
async fn saved_documents(state: &AppState, user: &str, row: &JobRow) -> Result<Documents, Problem> {
    let Some(workflow) = &row.workflow_id else {
        let message = format!("job `{}` ran a workflow that was not saved: leave `version` out", row.id);
        return Err(Problem::single_fault("/version", message));
    };
    let workflow = prepare_saved(state, user, workflow).await?;
    Ok(Documents { version: workflow.version, workflow })
}

/// Refuses to run steps again whose work may have been paid for, unless that is confirmed.
async fn refuse_unsettled(state: &AppState, job: &str, rows: impl Iterator<Item = &StepRow>) -> Result<(), Problem> {
    for row in rows {
        if is_unsettled(state, job, row).await? {
            return Err(needs_confirmation(job, row));
        }
    }
    Ok(())
}

/// Refuses jobs that were created before secret references were checked.
fn refuse_unchecked(id: &str, bundle: &JobBundle) -> Result<(), Problem> {
    let Catalog { connectors, nodes, .. } = &bundle.catalog;
    let names = connectors.values().map(Connector::secret_names).chain(nodes.values().map(Node::secret_names));
    if bundle.secrets_checked || names.flatten().next().is_none() {
        return Ok(());
    }
    let detail = format!(
        "job `{id}` was created by an earlier version, which did not check who may refer to the secrets of its nodes: run \
         its workflow or node anew"
    );
    Err(Problem::new(StatusCode::CONFLICT, problem_codes::OUTDATED, detail))
}

/// Validates an edited input as that of a first run.
async fn check_rerun_input(
    state: &AppState,
    user: &str,
    node: Option<&str>,
    workflow: &PreparedWorkflow,
    input: Map<String, Value>,
) -> Result<Value, Problem> {
    let Some(node) = node else {
        return check_workflow_input(state, user, workflow, input).await;
    };
    let catalog = &workflow.prepared.bundle().catalog;
    let declared = catalog.nodes.get(node);
    let connector = declared.and_then(|node| catalog.connectors.get(&node.connector_id));
    if let (Some(node), Some(connector)) = (declared, connector) {
        let plan = apiflow_core::call::compile_call(node, connector)
            .map_err(|found| Problem::not_runnable(format!("node `{}` cannot run", node.id), found))?;
        plan.fill_arguments(&input).map_err(|error| input::input_problem(&error))?;
    }
    Ok(Value::Object(input))
}

async fn all_steps(state: &AppState, job: &str) -> Result<Vec<StepRow>, Problem> {
    let mut steps = Vec::new();
    loop {
        let after = steps.last().map_or(0, |row: &StepRow| row.ordinal);
        let page = state.store.list_steps(job, after, 500).await?;
        if page.is_empty() {
            return Ok(steps);
        }
        steps.extend(page);
    }
}

/// Returns the enclosing modules of a step and its id: of a step that ran, or of a top-level module that did not.
fn find_place(document: &Value, job: &str, step: &str, steps: &[StepRow]) -> Result<(String, String), Problem> {
    let ordinal = step.parse::<u64>().ok();
    // An id takes precedence over an ordinal; the step that ran last is the one that failed.
    let named = steps.iter().rev().find(|row| row.step_id == step);
    if let Some(row) = named.or_else(|| steps.iter().find(|row| Some(row.ordinal) == ordinal)) {
        return Ok((row.path.clone(), row.step_id.clone()));
    }
    let modules = document.pointer("/value/modules").and_then(Value::as_array).into_iter().flatten();
    if modules.into_iter().any(|module| module["id"] == step) {
        return Ok((String::new(), step.to_owned()));
    }
    let message = format!("job `{job}` has no step `{step}`; `GET /api/v1/jobs/{job}/steps` lists them");
    Err(Problem::single_fault("/from", message))
}

/// Returns whether a step of an ended job has an attempt that may have been paid for and has no outcome: the outcome is
/// unknown, or it was interrupted before its provider answered.
async fn is_unsettled(state: &AppState, job: &str, row: &StepRow) -> Result<bool, Problem> {
    let is_cut_off = match row.status {
        StepStatus::Running | StepStatus::Retrying | StepStatus::Cancelled => row.provider_id.is_none(),
        StepStatus::Suspended | StepStatus::Completed | StepStatus::Failed | StepStatus::Skipped => false,
    };
    if lookup::is_fate_unknown(row) || !is_cut_off || row.attempt == 0 {
        return Ok(lookup::is_fate_unknown(row));
    }
    let calls = state.store.list_calls(job, row.ordinal).await?;
    Ok(calls.iter().any(|call| call.is_unanswered_submit(row.attempt)))
}

fn needs_confirmation(job: &str, row: &StepRow) -> Problem {
    let url = row.error.as_ref().and_then(|error| error["url"].as_str()).map(|url| format!(" ({url})"));
    let message = format!(
        "whether the provider accepted the work of step `{step}` is unknown{}: it may be paid twice. Look it up first with \
         `POST /api/v1/jobs/{job}/steps/{step}/recover`, or pass `\"confirm_unknown\": true` to send it again",
        url.unwrap_or_default(),
        step = row.step_id,
    );
    Problem::new(StatusCode::CONFLICT, problem_codes::CONFIRM_UNKNOWN, message)
}

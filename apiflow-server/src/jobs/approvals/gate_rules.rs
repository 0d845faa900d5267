//! The settings of a document's gates: who may answer, and the payload of an answer.

use apiflow_core::openflow::{Module, OpenFlow, Suspend, find_module, find_module_by};
use apiflow_core::ports::StepRow;
use axum::http::StatusCode;
use serde_json::Value;

use crate::http::problem::Problem;
use crate::http::problem_codes;
use crate::jobs::approvals::Approver;
use crate::state::AppState;

/// The documents that a job may run, by workflow id; the job's own is first.
struct JobFlows(Vec<(String, OpenFlow)>);

impl JobFlows {
    async fn load(state: &AppState, job: &str) -> Result<Self, Problem> {
        let bundle = state.store.load_job(job).await?.bundle;
        let own = std::iter::once((String::new(), &bundle.document));
        let called = bundle.catalog.workflows.iter().map(|(id, document)| (id.clone(), document));
        let read = |(id, document): (String, &Value)| Some((id, OpenFlow::from_json(document).ok()?));
        Ok(Self(own.chain(called).filter_map(read).collect()))
    }

    fn all_flows(&self) -> impl Iterator<Item = &OpenFlow> {
        self.0.iter().map(|(_, flow)| flow)
    }

    /// Returns the flow that a step is in: the enclosing modules may call other workflows.
    fn flow_of(&self, step: &StepRow) -> Option<&OpenFlow> {
        let mut flow = self.all_flows().next()?;
        for segment in step.path.split('/').filter(|segment| !segment.is_empty()) {
            let id = segment.rsplit_once('[').map_or(segment, |(id, _)| id);
            if let Some(id) = find_module(flow, id)?.value.sub_flow_id() {
                flow = self.0.iter().find_map(|(known, flow)| (known == id).then_some(flow))?;
            }
        }
        Some(flow)
    }
}

/// Returns the settings of the gate that a step waits at.
pub(crate) async fn gate_of_step(state: &AppState, step: &StepRow, job: &str) -> Result<Suspend, Problem> {
    let flows = JobFlows::load(state, job).await?;
    let is_gate = |module: &Module| module.id == step.step_id && module.suspend.is_some();
    let own = flows.flow_of(step).and_then(|flow| find_module_by(flow, &is_gate));
    let gate = own.or_else(|| flows.all_flows().find_map(|flow| find_module_by(flow, &is_gate)));
    gate.and_then(|module| module.suspend.clone()).ok_or_else(|| has_no_gate(&step.step_id))
}

/// Returns the settings of all gates after steps with this id: called workflows may contain the same id. An answer that
/// comes before its gate must satisfy all of them.
pub(crate) async fn gates_of_id(state: &AppState, job: &str, step_id: &str) -> Result<Vec<Suspend>, Problem> {
    let flows = JobFlows::load(state, job).await?;
    let is_gate = |module: &Module| module.id == step_id && module.suspend.is_some();
    let gates = flows.all_flows().filter_map(|flow| find_module_by(flow, &is_gate)?.suspend.clone());
    let gates: Vec<Suspend> = gates.collect();
    if !gates.is_empty() {
        return Ok(gates);
    }
    if flows.all_flows().any(|flow| find_module(flow, step_id).is_some()) {
        return Err(has_no_gate(step_id));
    }
    Err(Problem::single_fault("/step", format!("job `{job}` has no step `{step_id}`")))
}

fn has_no_gate(step_id: &str) -> Problem {
    Problem::single_fault("/step", format!("step `{step_id}` does not wait for approval: it has no `suspend`"))
}

/// The problem of an answer that names no gate while none is open.
pub(super) async fn no_open_gate(state: &AppState, job: &str) -> Result<Problem, Problem> {
    let has_gate = |module: &Module| module.suspend.is_some();
    let any = JobFlows::load(state, job).await?.all_flows().any(|flow| find_module_by(flow, &has_gate).is_some());
    let message = if any {
        format!("no step of job `{job}` waits for an approval now: pass `step` to answer its gate early")
    } else {
        format!("no step of job `{job}` waits for approval: none has a `suspend`")
    };
    Ok(Problem::new(StatusCode::CONFLICT, problem_codes::NOT_WAITING, message))
}

/// Refuses approvers whom the document excludes. Source: OpenFlow, `suspend`.
pub(super) fn check_approver(rule: &Suspend, approver: &Approver<'_>, creator: Option<&str>) -> Result<(), Problem> {
    let is_set = |name: &str| rule.extra.get(name) == Some(&Value::Bool(true));
    match approver {
        Approver::Link(..) if is_set("user_auth_required") || is_set("self_approval_disabled") => {
            Err(Problem::forbidden("this approval needs a user: answer it with `POST /api/v1/jobs/{id}/resume`"))
        }
        Approver::User(user) if is_set("self_approval_disabled") && creator == Some(&user.id) => {
            Err(Problem::forbidden("the user who started the job may not approve it (`self_approval_disabled`)"))
        }
        Approver::Link(..) | Approver::User(..) => Ok(()),
    }
}

//! The control state: what runs, not what it computed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Args, CacheKey, Call, GateSelector, Start, ValueRef};
use crate::ports::{JobStatus, StepRow, Timestamp};

/// What the expressions of a module may name.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpressionNames {
    /// The value of `flow_input`.
    pub args: Args,
    /// The value of `previous_result`.
    pub previous: ValueRef,
    /// `result`, if it is in scope.
    pub result: Option<ValueRef>,
    /// Where `results` are looked up: see [`super::Run::visible_result`].
    pub scope: u64,
    /// Whose `flow_env`: see [`super::Program::flow_env`].
    pub flow: usize,
    /// The list of `all_iters`, if it is in scope.
    pub all_iters: Option<u64>,
    /// `resumes` and `approvers`: what let the gate before the module pass, in order of arrival.
    pub resumes: Vec<Resumed>,
}

/// One answer that a gate took in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resumed {
    /// What came with it; an `{"error": …}` if the gate passed although it was disapproved or too late.
    pub payload: ValueRef,
    /// Who gave it, if somebody is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Control {
    pub(super) status: JobStatus,
    /// The last event's position.
    pub(super) seq: u64,
    pub(super) seed: u64,
    pub(super) next_frame: u64,
    pub(super) retry_count: u64,
    #[serde(default)]
    pub(super) created_at: Timestamp,
    pub(super) started_at: Option<Timestamp>,
    pub(super) finished_at: Option<Timestamp>,
    pub(super) frames: BTreeMap<u64, Frame>,
    pub(super) scopes: BTreeMap<u64, ResultScope>,
    /// Open attempts and the frames that wait for them.
    pub(super) effects: BTreeMap<u64, u64>,
    /// Attempts that are no longer needed but that must still be cancelled at the provider.
    pub(super) orphans: BTreeMap<u64, Call>,
    /// Approvals and disapprovals that no gate has taken yet, in order of arrival.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) approvals: Vec<ReceivedApproval>,
    /// How the flow ended; the job ends when no orphan is left.
    pub(super) ending: Option<Ending>,
}

/// An approval or disapproval that waits for its gate; its payload is the value of the event `seq`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ReceivedApproval {
    pub(super) seq: u64,
    pub(super) target: GateSelector,
    pub(super) approver: Option<String>,
    /// Who it counts for; see [`super::Fact::Approval`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) counts_for: Option<String>,
    pub(super) disapproves: bool,
}

impl Control {
    /// The answers that count at the gate after a step, in order of arrival: those that are meant for it, of each
    /// approver the first. What came before the gate has closed counts as what comes after.
    pub(super) fn answers_at<'a>(&'a self, step: &StepRow) -> Vec<&'a ReceivedApproval> {
        let is_meant = |target: &GateSelector| match target {
            GateSelector::Any => true,
            GateSelector::Step(id) => *id == step.step_id,
            GateSelector::Ordinal(ordinal) => *ordinal == step.ordinal,
        };
        let mut counted = BTreeSet::new();
        let answers = self.approvals.iter().filter(|answer| is_meant(&answer.target));
        answers.filter(|answer| answer.counts_for.as_deref().is_none_or(|who| counted.insert(who))).collect()
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Ending {
    pub(super) status: JobStatus,
    pub(super) output: Option<ValueRef>,
    pub(super) error: Option<Value>,
    pub(super) skipped: bool,
    /// Under what the output is to be kept for later runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cache: Option<CacheKey>,
}

/// Results by step id, visible to everything inside.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct ResultScope {
    pub(super) parent: Option<u64>,
    pub(super) results: BTreeMap<String, ValueRef>,
}

/// A list of modules being run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Frame {
    pub(super) flow: usize,
    /// The flow whose `flow_env` is in force.
    pub(super) env: usize,
    pub(super) list: usize,
    pub(super) cursor: usize,
    pub(super) parent: Option<u64>,
    pub(super) slot: u64,
    pub(super) depth: u32,
    /// Whether this is, or is inside, an error handler.
    pub(super) handler: bool,
    pub(super) entered: bool,
    /// Whether it is the preprocessor that runs, before the flow's own list.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) preprocessing: bool,
    /// Under what the flow's result is to be kept for later runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cache: Option<CacheKey>,
    /// What let the gate before the current module pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) resumes: Vec<Resumed>,
    pub(super) args: Args,
    pub(super) previous: ValueRef,
    pub(super) scope: u64,
    pub(super) path: String,
    pub(super) step: Option<OpenStep>,
}

/// A module being run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct OpenStep {
    pub(super) ordinal: u64,
    pub(super) start: Start,
    /// Failed attempts so far.
    pub(super) failures: u32,
    pub(super) stage: Stage,
    pub(super) row: StepRow,
    pub(super) children: Option<Children>,
    /// Result and error of the last attempt, once it has ended.
    pub(super) result: ValueRef,
    pub(super) error: Option<Value>,
    /// Whether an error handler has run for the error already.
    pub(super) handled: bool,
    /// Bound on each whole attempt of a module that holds others, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bound_ms: Option<u64>,
    /// When the attempt under way counts as too slow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Timestamp>,
    /// Set while the provider takes no work: how often its call was put off, and since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) postponed: Option<Postponed>,
    /// Under what its result is to be kept for later runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cache: Option<CacheKey>,
    /// What its gate took in, for the module after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) resumes: Vec<Resumed>,
}

/// A call that its provider did not take yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Postponed {
    /// When the first attempt of this call was journalled.
    pub(super) since: Timestamp,
    /// How often the provider was asked in vain.
    pub(super) refusals: u32,
}

impl OpenStep {
    /// Bound on each whole attempt (the module's `timeout`), in milliseconds.
    pub(super) fn timeout_ms(&self) -> Option<u64> {
        match &self.start {
            Start::Call { bound_ms, .. } => *bound_ms,
            Start::Nothing
            | Start::Code
            | Start::Branch { .. }
            | Start::Branches { .. }
            | Start::Loop { .. }
            | Start::Flow => self.bound_ms,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Stage {
    /// Its evaluation failed and is to be tried again.
    Begin,
    /// A call is out.
    Call(Call),
    /// Branches, iterations or a sub-flow are at work.
    Children,
    /// An iteration ended; whether the loop stops is not known yet.
    Iterated,
    /// The last attempt failed; whether there will be another is not known yet.
    Failed,
    /// The next attempt waits.
    Retrying { at: Timestamp },
    /// It failed for good; the list has to end, or its error handler to run.
    Lost,
    /// The error handler is at work, or its result is not judged yet.
    Handling { result: Option<ValueRef> },
    /// It succeeded; what follows is not known yet.
    Done,
    /// The list waits for approvals before its next module.
    Suspended(Gate),
    /// The list waits before its next module.
    Sleeping { until: Timestamp },
}

/// An approval gate that is closed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Gate {
    /// Number of approvals that open the gate.
    pub(super) required: u32,
    /// When it counts as disapproved.
    pub(super) until: Timestamp,
    /// How long the list sleeps after it, in milliseconds.
    pub(super) sleep_ms: u64,
}

/// The branches or iterations of a module.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Children {
    /// Number of the list that collects their results.
    pub(super) list: u64,
    pub(super) total: Option<u64>,
    pub(super) sequential: bool,
    /// Whether the first one that succeeds ends the module.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) race: bool,
    /// The child that won the race.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) winner: Option<u64>,
    pub(super) limit: Option<u64>,
    /// The next one to open.
    pub(super) next: u64,
    pub(super) open: BTreeSet<u64>,
    /// The failure that counts, of the lowest branch or iteration, and which that is: not the first in time, so that
    /// the same answers give the same end.
    pub(super) failure: Option<(u64, Failure)>,
    /// Result of the one that ended last.
    pub(super) last: Option<ValueRef>,
    /// Scopes of ended parallel branches, merged in order when all have ended.
    pub(super) scopes: BTreeMap<u64, u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) error: Value,
    pub(super) result: ValueRef,
    pub(super) handled: bool,
}

//! The control state: what is running, without the values that were computed.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CacheKey, Call, Ending, GateSelector, Start};
use crate::money::Cost;
use crate::ports::{Args, JobStatus, StepRow, Timestamp, ValueRef};

/// The names that are in scope in a module's expressions.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpressionNames {
    /// The value of `flow_input`.
    pub args: Args,
    /// The value of `previous_result`.
    pub previous: ValueRef,
    /// `result`, if it is in scope.
    pub result: Option<ValueRef>,
    /// The scope in which `results` are looked up: see [`super::Run::visible_result`].
    pub scope: u64,
    /// The flow whose `flow_env` is in scope: see [`super::Program::flow_env`].
    pub flow: usize,
    /// The list of `all_iters`, if it is in scope.
    pub all_iters: Option<u64>,
    /// `resumes` and `approvers`: the answers that opened the gate before the module, in order of arrival.
    pub resumes: Vec<Resumed>,
}

/// An answer that a gate has taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resumed {
    /// Payload of the answer; an `{"error": …}` if the list continued although the gate was disapproved or timed out.
    pub payload: ValueRef,
    /// Name of the approver, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approver: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Control {
    pub(super) status: JobStatus,
    /// Sequence number of the last event.
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
    /// Open attempts, each with the frame that waits for it.
    pub(super) effects: BTreeMap<u64, u64>,
    /// Attempts that are no longer needed, but have yet to be cancelled at the provider.
    pub(super) orphans: BTreeMap<u64, Call>,
    /// Approvals and disapprovals that no gate has taken yet, in order of arrival.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) approvals: Vec<ReceivedApproval>,
    /// What its attempts have cost.
    #[serde(default, skip_serializing_if = "Cost::is_empty")]
    pub(super) cost: Cost,
    /// Whether results that earlier runs have cached are not used.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) fresh: bool,
    /// How the flow ended; the job ends once no orphan is left.
    pub(super) ending: Option<Ending>,
}

/// An approval or disapproval that waits for its gate; its payload is the value of the event `seq`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ReceivedApproval {
    pub(super) seq: u64,
    pub(super) target: GateSelector,
    pub(super) approver: Option<String>,
    /// Whom the answer counts for; see [`super::Fact::Approval`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) counts_for: Option<String>,
    pub(super) disapproves: bool,
}

impl Control {
    /// Returns the answers that count at the gate after a step, in order of arrival: those that are meant for it, and
    /// only the first one of each approver. Answers that arrived before the gate closed count like later ones.
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
    /// The flow whose `flow_env` is in scope.
    pub(super) env: usize,
    pub(super) list: usize,
    pub(super) cursor: usize,
    pub(super) parent: Option<u64>,
    pub(super) slot: u64,
    pub(super) depth: u32,
    /// Whether this is, or is inside, an error handler.
    pub(super) handler: bool,
    pub(super) entered: bool,
    /// Whether the preprocessor is running, before the flow's own list.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) preprocessing: bool,
    /// Key under which the flow's result is cached for later runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cache: Option<CacheKey>,
    /// The answers that opened the gate before the current module.
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
    /// Number of failed attempts so far.
    pub(super) failures: u32,
    pub(super) stage: Stage,
    pub(super) row: StepRow,
    pub(super) children: Option<Children>,
    /// Result and error of the last attempt, once it has ended.
    pub(super) result: ValueRef,
    pub(super) error: Option<Value>,
    /// Whether an error handler has already run for the error.
    pub(super) handled: bool,
    /// Time limit of each attempt of a module that contains others, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bound_ms: Option<u64>,
    /// When the current attempt times out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) until: Option<Timestamp>,
    /// Set while the provider refuses work: how often its call was postponed, and since when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) postponed: Option<Postponed>,
    /// Whether the current attempt got its slot before it was known that it waits for one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) slot_granted: bool,
    /// How many of its nodes have failed, so that a fallback is called.
    #[serde(default, skip_serializing_if = "is_first_node")]
    pub(super) fallbacks: usize,
    /// The last attempt whose cost was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cost_of: Option<u64>,
    /// Key under which the result is cached for later runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cache: Option<CacheKey>,
    /// The answers that its gate has taken, for the module after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) resumes: Vec<Resumed>,
}

/// A call that its provider has not accepted yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Postponed {
    /// When the first attempt of this call was journalled.
    pub(super) since: Timestamp,
    /// How often the provider has refused it.
    pub(super) refusals: u32,
    /// Whether it waits for a slot of its connector's limits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) waits_for_slot: bool,
}

impl OpenStep {
    /// Returns the time limit of each whole attempt (the module's `timeout`), in milliseconds.
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
#[expect(clippy::large_enum_variant, reason = "one per open step, and most of those are calls")]
pub(super) enum Stage {
    /// Its evaluation failed and will be repeated.
    Begin,
    /// A call is in flight.
    Call(Call),
    /// Branches, iterations or a sub-flow are running.
    Children,
    /// An iteration ended; whether the loop stops is not known yet.
    Iterated,
    /// The last attempt failed; whether it is retried is not known yet.
    Failed,
    /// The next attempt waits for its time.
    Retrying { at: Timestamp },
    /// The step failed finally; its list has to end, or its error handler to run.
    Lost,
    /// The error handler is running, or its result has not been evaluated yet.
    Handling { result: Option<ValueRef> },
    /// The step succeeded; what follows is not known yet.
    Done,
    /// The list waits for approvals before its next module.
    Suspended(Gate),
    /// The list sleeps before its next module.
    Sleeping { until: Timestamp },
}

/// A closed approval gate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Gate {
    /// Number of approvals that open the gate.
    pub(super) required: u32,
    /// When the gate counts as disapproved.
    pub(super) until: Timestamp,
    /// How long the list sleeps afterwards, in milliseconds.
    pub(super) sleep_ms: u64,
}

/// The branches or iterations of a module.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Children {
    /// Id of the list that collects their results.
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
    /// Index of the next child to open.
    pub(super) next: u64,
    pub(super) open: BTreeSet<u64>,
    /// The failure of the lowest branch or iteration, and its index: not the first one in time, so that the same
    /// answers lead to the same end.
    pub(super) failure: Option<(u64, Failure)>,
    /// Result of the child that ended last.
    pub(super) last: Option<ValueRef>,
    /// Scopes of ended parallel branches, which are merged in order once all have ended.
    pub(super) scopes: BTreeMap<u64, u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Failure {
    pub(super) error: Value,
    pub(super) result: ValueRef,
    pub(super) handled: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_first_node(fallbacks: &usize) -> bool {
    *fallbacks == 0
}

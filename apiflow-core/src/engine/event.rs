//! What the journal holds.

mod queries;
mod start;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ValueRef;
use crate::ports::{JobStatus, Timestamp};

pub use start::Start;

/// An event with the value that it brings, as it is journalled.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Position in the journal, from 1.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// The event without its value: what happened, and its parameters.
    pub event: Event,
    /// The value that it brings, kept in a row of its own.
    pub value: Option<Value>,
}

/// One thing that happened in a job. `frame` is the list of modules that it happened in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The job was made; its value is the job's input.
    Created {
        /// Source of the job's pseudo-random choices.
        seed: u64,
        /// Whether the document's preprocessor makes the flow's input of it first.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        preprocess: bool,
    },
    /// The result of a step of an earlier run, which this one takes over: the event's value. See
    /// [`crate::ports::ReusedResult`].
    #[serde(alias = "kept")]
    ResultReused {
        /// The modules around it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        path: String,
        /// Id of the module.
        step_id: String,
    },
    /// The preprocessor has ended: its result is the flow's input now.
    Preprocessed {
        /// The flow's list.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
    },
    /// A flow's `skip_expr` was evaluated to false: its first module may begin. Where the flow's result was found
    /// among those of earlier runs it is the event's value.
    Entered {
        /// The flow's list.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Under what its result is to be kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache: Option<CacheKey>,
    },
    /// A module began to run; the step's ordinal is this event's sequence number.
    StepStarted {
        /// The list that the module is in.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Id of the module.
        step_id: String,
        /// The modules around it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        path: String,
        /// What begins; the arguments of a call or of code, a loop's items and a sub-flow's input are the event's value.
        start: Start,
        /// Bound on each whole attempt of a module that holds others, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bound_ms: Option<u64>,
        /// Under what its result is to be kept for later runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache: Option<CacheKey>,
    },
    /// A module ran in no time: skipped, mocked, an identity, or its result was there from an earlier run.
    StepPassed {
        /// The list that the module is in.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Id of the module.
        step_id: String,
        /// The modules around it.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        path: String,
        /// Whether `skip_if` was true.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        skipped: bool,
        /// The result, or where it is.
        result: ValueRef,
    },
    /// Another attempt began.
    AttemptStarted {
        /// The list that the module is in.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Number of the attempt, from 1.
        attempt: u32,
        /// For a call: when its submit counts as lost, if not after the `timeout_ms` of its start.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline: Option<Timestamp>,
    },
    /// The provider took the work; the event's value is what is needed to follow it.
    OperationAccepted {
        /// The list that the module is in.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// The attempt that it is about.
        effect: u64,
        /// The provider's own id of the work.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider_id: Option<String>,
        /// When to ask first.
        poll_at: Timestamp,
        /// When the work counts as too slow.
        deadline: Timestamp,
    },
    /// Nobody knows whether the provider took an attempt: its list is read until it shows the work, see
    /// [`super::Recovery`].
    RecoveryStarted {
        /// The list that the module is in; 0 for an attempt that nobody waits for.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// The attempt that it is about.
        effect: u64,
        /// When the search may settle the attempt, see [`super::Recovery::settles_at`].
        settles_at: Timestamp,
        /// When the search is given up, see [`super::Recovery::gives_up_at`].
        gives_up_at: Timestamp,
    },
    /// An attempt failed; the event's value is `{"error": …}` unless `result` says where the result is.
    AttemptFailed {
        /// The list that the module is in.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// The error object.
        error: Value,
        /// The failed module's result, if it is not this event's value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<ValueRef>,
        /// Whether an error handler has run for it already.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        handled: bool,
    },
    /// The provider did not take the work of a call, and is asked again later. That is no retry: the attempt that then
    /// starts has the same number.
    CallPostponed {
        /// The list that the module is in.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// The attempt that it is about.
        effect: u64,
        /// When the next attempt begins.
        until: Timestamp,
        /// The error object that says why.
        error: Value,
        /// Whether the provider was asked.
        sent: bool,
    },
    /// The next attempt waits.
    RetryScheduled {
        /// The list that the module is in.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// When it begins.
        at: Timestamp,
    },
    /// A step ended with a result: the event's value, unless `result` says where it is.
    StepCompleted {
        /// The list that the module is in.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Its result, if it is not this event's value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<ValueRef>,
        /// Under what the result is kept for later runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache: Option<CacheKey>,
    },
    /// A step ended with the error of its last attempt.
    StepFailed {
        /// The list that the module is in.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Whether the flow goes on after it (`continue_on_error`).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        caught: bool,
    },
    /// Somebody approved or disapproved; the event's value is what came with it.
    ApprovalReceived {
        /// Which gate is meant.
        target: GateSelector,
        /// The name of the user, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approver: Option<String>,
        /// Who it counts for: a gate counts one answer of each. `None` counts always.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        counts_for: Option<String>,
        /// Whether it is a disapproval.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        disapproves: bool,
    },
    /// The list waits for approvals before its next module.
    GateClosed {
        /// The list of modules that it is about.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Number of approvals that open the gate.
        required: u32,
        /// When it counts as disapproved.
        until: Timestamp,
        /// How long the list sleeps after it, in milliseconds.
        #[serde(default, skip_serializing_if = "is_zero")]
        sleep_ms: u64,
    },
    /// The gate let the list pass.
    GatePassed {
        /// The list of modules that it is about.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// The approvals that it took, by the events that brought them.
        taken: Vec<u64>,
        /// Whether it passed although it was disapproved or too late: the event's value is then the `{"error": …}`
        /// that takes its place among the resumes.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        faulty: bool,
    },
    /// The gate was disapproved, or not approved in time; the event's value is `{"error": …}`.
    GateFailed {
        /// The list of modules that it is about.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// What it had taken until then, by the events that brought it: no other gate takes it.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        taken: Vec<u64>,
        /// The error object.
        error: Value,
    },
    /// A module that holds others took too long: what it has at work is given up.
    TimedOut {
        /// The list that the module is in.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
    },
    /// A branch of a race succeeded: the others are given up.
    RaceWon {
        /// The list that the module is in.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Number of the branch.
        slot: u64,
    },
    /// The list waits before its next module.
    SleepStarted {
        /// The list of modules that it is about.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// When it goes on.
        until: Timestamp,
    },
    /// The list went on to its next module.
    Advanced {
        /// The list of modules that it is about.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
    },
    /// A branch, an iteration, a sub-flow or an error handler began.
    FrameOpened {
        /// The list that the module is in.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// The new list.
        child: u64,
        /// Number of the branch or iteration.
        slot: u64,
        /// Whether it is the error handler.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        handler: bool,
    },
    /// A branch, an iteration, a sub-flow or an error handler ended.
    FrameClosed {
        /// The list that the module is in.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// The list that ended.
        child: u64,
        /// Number of the branch or iteration.
        slot: u64,
        /// The result, or where it is.
        result: ValueRef,
        /// The list of results that it extends.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        list: Option<u64>,
        /// The error object, if it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Value>,
        /// Whether an error handler has run for it already.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        handled: bool,
        /// Whether the error stands as a result (`skip_failures`) and fails nothing.
        #[serde(default, alias = "kept", skip_serializing_if = "std::ops::Not::not")]
        tolerated: bool,
        /// Under what the result of the sub-flow that ended is kept for later runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache: Option<CacheKey>,
    },
    /// Somebody asked for the job's end.
    CancelRequested {
        /// The reason that was given.
        reason: String,
        /// The name of the user, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// An attempt that is no longer needed is settled: it was cancelled at the provider, or there was nothing to cancel.
    OrphanSettled {
        /// The attempt that it is about.
        effect: u64,
    },
    /// The flow ended while cancellations are still to be sent: the job ends after they were sent.
    FlowEnded {
        /// The status that the job ends with.
        status: JobStatus,
        /// The output of the job.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<ValueRef>,
        /// The error object of a failed job.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Value>,
        /// Whether the flow was stopped as skipped.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        skipped: bool,
        /// Under what the output is to be kept for later runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache: Option<CacheKey>,
    },
    /// A job that had ended because of attempts of unknown fate is at work again: they are looked for once more.
    JobReopened {
        /// The control state ([`crate::ports::SnapshotRow::state`]) before those attempts ended.
        state: Value,
    },
    /// The job ended.
    JobFinished {
        /// The status that the job ends with.
        status: JobStatus,
        /// Its output; the event's value if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<ValueRef>,
        /// The error object of a failed job.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Value>,
        /// Whether the flow was stopped as skipped.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        skipped: bool,
        /// Under what the output is kept for later runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache: Option<CacheKey>,
    },
}

/// Under what a result is kept for later runs, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheKey {
    /// Hash of all that the result follows from.
    pub key: String,
    /// Seconds for which it is kept.
    pub ttl_s: u64,
}

/// Which gate an approval is for; one that arrives early waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateSelector {
    /// The next gate, whichever it is.
    Any,
    /// The next gate after a step of this id.
    Step(String),
    /// The gate after the step of this ordinal.
    Ordinal(u64),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

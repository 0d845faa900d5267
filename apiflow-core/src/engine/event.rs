//! Events: what the journal contains.

mod queries;
mod start;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::money::AttemptCost;
use crate::ports::{JobStatus, Timestamp, ValueRef};

pub use start::Start;

/// An event with its value, as it is journalled.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Position in the journal, from 1.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// The event without its value: what happened, and its parameters.
    pub event: Event,
    /// The value of the event, which is stored in a row of its own.
    pub value: Option<Value>,
}

/// Something that happened in a job. `frame` is the list of modules in which it happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The job was created; the event's value is the job's input.
    Created {
        /// Seed of the job's pseudo-random numbers.
        seed: u64,
        /// Whether the document's preprocessor first converts the input to the flow's input.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        preprocess: bool,
        /// Whether results that earlier runs have cached are not used.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        fresh: bool,
    },
    /// The result of a step of an earlier run was taken over: the event's value. See [`crate::ports::ReusedResult`].
    #[serde(alias = "kept")]
    ResultReused {
        /// Path of the enclosing modules.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        path: String,
        /// Id of the module.
        step_id: String,
    },
    /// The preprocessor ended: its result is now the flow's input.
    Preprocessed {
        /// The flow's list.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
    },
    /// A flow's `skip_expr` was evaluated to false: its first module may start. If the flow's result was cached by an
    /// earlier run, it is the event's value.
    Entered {
        /// The flow's list.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Key under which its result is cached.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache: Option<CacheKey>,
    },
    /// A module started; the step's ordinal is this event's sequence number.
    StepStarted {
        /// The list that contains the module.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Id of the module.
        step_id: String,
        /// Path of the enclosing modules.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        path: String,
        /// What starts; the arguments of a call or of code, a loop's items or a sub-flow's input are the event's value.
        start: Start,
        /// Time limit of each attempt of a module that contains others, in milliseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bound_ms: Option<u64>,
        /// Key under which its result is cached for later runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache: Option<CacheKey>,
    },
    /// A module took no time: it was skipped, mocked, an identity, or its result was cached by an earlier run.
    StepPassed {
        /// The list that contains the module.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Id of the module.
        step_id: String,
        /// Path of the enclosing modules.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        path: String,
        /// Whether `skip_if` was true.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        skipped: bool,
        /// The result, or a reference to it.
        result: ValueRef,
    },
    /// Another attempt started.
    AttemptStarted {
        /// The list that contains the module.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Number of the attempt, from 1.
        attempt: u32,
        /// For a call: when its submit counts as lost, if that differs from the `timeout_ms` of the step's start.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        deadline: Option<Timestamp>,
    },
    /// The provider accepted the work; the event's value is the operation.
    OperationAccepted {
        /// The list that contains the module.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Id of the attempt.
        effect: u64,
        /// The provider's id of the work.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider_id: Option<String>,
        /// When to poll first.
        poll_at: Timestamp,
        /// Deadline of the work.
        deadline: Timestamp,
    },
    /// The work of a call ended, and the media of its result is downloaded; the event's value is the operation, whose
    /// `downloads` contain the result and the links.
    DownloadStarted {
        /// The list that contains the module.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Id of the attempt.
        effect: u64,
        /// The provider's id of the work.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        provider_id: Option<String>,
        /// Deadline of the downloads.
        deadline: Timestamp,
    },
    /// It is unknown whether the provider accepted an attempt: its list is read until it contains the work, see
    /// [`super::Recovery`].
    RecoveryStarted {
        /// The list that contains the module; 0 for an attempt that is no longer waited for.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Id of the attempt.
        effect: u64,
        /// When the search may settle the attempt, see [`super::Recovery::settles_at`].
        settles_at: Timestamp,
        /// When the search is abandoned, see [`super::Recovery::gives_up_at`].
        gives_up_at: Timestamp,
    },
    /// An attempt failed; the event's value is `{"error": …}`, unless `result` refers to the result.
    AttemptFailed {
        /// The list that contains the module.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// The error object.
        error: Value,
        /// The failed module's result, if it is not this event's value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<ValueRef>,
        /// Whether an error handler has already run for it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        handled: bool,
    },
    /// An attempt of a node with a price is about to end, and this is what it cost.
    CostRecorded {
        /// The list that contains the module; 0 for an attempt that is no longer waited for.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Id of the attempt.
        effect: u64,
        /// What it cost.
        cost: AttemptCost,
    },
    /// The provider refused a call and is asked again later. That is not a retry: the attempt that follows has the same
    /// number.
    CallPostponed {
        /// The list that contains the module.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Id of the attempt.
        effect: u64,
        /// When the next attempt starts.
        until: Timestamp,
        /// The error object with the reason.
        error: Value,
        /// Whether the provider was asked.
        sent: bool,
        /// Whether the call waits for a slot of its connector's limits.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        for_slot: bool,
    },
    /// A call got its slot before it was known that it waits for one.
    SlotGranted {
        /// The list that contains the module.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
    },
    /// The next of a step's nodes is called, because the call of the one before failed: its inputs are evaluated next.
    FallbackStarted {
        /// The list that contains the module.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Which of the fallbacks, from 1.
        number: usize,
    },
    /// A retry was scheduled.
    RetryScheduled {
        /// The list that contains the module.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// When the next attempt starts.
        at: Timestamp,
    },
    /// A step ended with a result: the event's value, unless `result` refers to it.
    StepCompleted {
        /// The list that contains the module.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// The result, if it is not this event's value.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<ValueRef>,
        /// Key under which the result is cached for later runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache: Option<CacheKey>,
    },
    /// A step ended with the error of its last attempt.
    StepFailed {
        /// The list that contains the module.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Whether the flow continues after it (`continue_on_error`).
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        caught: bool,
    },
    /// A user approved or disapproved; the event's value is the payload.
    ApprovalReceived {
        /// The gate that is meant.
        target: GateSelector,
        /// Name of the user, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approver: Option<String>,
        /// Whom the answer counts for: a gate counts one answer of each. `None` counts always.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        counts_for: Option<String>,
        /// Whether it is a disapproval.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        disapproves: bool,
    },
    /// A gate closed: the list waits for approvals before its next module.
    GateClosed {
        /// The list that contains the gate.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Number of approvals that open the gate.
        required: u32,
        /// When the gate counts as disapproved.
        until: Timestamp,
        /// How long the list sleeps afterwards, in milliseconds.
        #[serde(default, skip_serializing_if = "is_zero")]
        sleep_ms: u64,
    },
    /// The gate opened.
    GatePassed {
        /// The list that contains the gate.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// The approvals that the gate took, by the events that recorded them.
        taken: Vec<u64>,
        /// Whether the list continues although the gate was disapproved or timed out: the event's value is then the
        /// `{"error": …}` among the resumes.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        faulty: bool,
    },
    /// The gate was disapproved, or not approved in time; the event's value is `{"error": …}`.
    GateFailed {
        /// The list that contains the gate.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// The answers that the gate had taken, by the events that recorded them: no other gate takes them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        taken: Vec<u64>,
        /// The error object.
        error: Value,
    },
    /// A module that contains others timed out: its open work is cancelled.
    TimedOut {
        /// The list that contains the module.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
    },
    /// A branch of a race succeeded: the others are cancelled.
    RaceWon {
        /// The list that contains the module.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// Index of the branch.
        slot: u64,
    },
    /// The list sleeps before its next module.
    SleepStarted {
        /// The list that sleeps.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// When it continues.
        until: Timestamp,
    },
    /// The list advanced to its next module.
    Advanced {
        /// The list that advanced.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
    },
    /// A branch, an iteration, a sub-flow or an error handler started.
    FrameOpened {
        /// The list that contains the module.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// The new list.
        child: u64,
        /// Index of the branch or iteration.
        slot: u64,
        /// Whether the new list is the error handler.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        handler: bool,
    },
    /// A branch, an iteration, a sub-flow or an error handler ended.
    FrameClosed {
        /// The list that contains the module.
        #[serde(default, skip_serializing_if = "is_zero")]
        frame: u64,
        /// The list that ended.
        child: u64,
        /// Index of the branch or iteration.
        slot: u64,
        /// The result, or a reference to it.
        result: ValueRef,
        /// The list of results that the result is appended to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        list: Option<u64>,
        /// The error object, if it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<Value>,
        /// Whether an error handler has already run for it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        handled: bool,
        /// Whether the error becomes a result (`skip_failures`) instead of failing the module.
        #[serde(default, alias = "kept", skip_serializing_if = "std::ops::Not::not")]
        tolerated: bool,
        /// Key under which the result of a sub-flow is cached for later runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache: Option<CacheKey>,
    },
    /// A user requested that the job ends.
    CancelRequested {
        /// The reason that was given.
        reason: String,
        /// Name of the user, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// An attempt that is no longer needed was settled: it was cancelled at the provider, or there was nothing to
    /// cancel.
    OrphanSettled {
        /// Id of the attempt.
        effect: u64,
    },
    /// The flow ended, but cancellations still have to be sent: the job ends after them.
    FlowEnded(Ending),
    /// A job that had ended because of attempts of unknown fate runs again: they are searched for once more.
    JobReopened {
        /// The control state ([`crate::ports::SnapshotRow::state`]) before those attempts ended.
        state: Value,
    },
    /// The job ended. If the event has a value, it is the output.
    JobFinished(Ending),
}

/// How a flow and its job end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// Final status of the job.
    pub status: JobStatus,
    /// Output of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<ValueRef>,
    /// Error object of a failed job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
    /// Whether the flow was stopped as skipped.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// Key under which the output is cached for later runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheKey>,
}

impl Ending {
    /// Creates an end without output.
    pub(crate) fn new(status: JobStatus, error: Option<Value>) -> Self {
        Self { status, output: None, error, skipped: false, cache: None }
    }
}

/// The key under which a result is cached for later runs, and for how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheKey {
    /// Hash of everything that the result depends on.
    pub key: String,
    /// Seconds for which the result is cached.
    pub ttl_s: u64,
}

/// The gate that an approval is for; an early approval waits for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateSelector {
    /// The next gate, whichever it is.
    Any,
    /// The next gate after a step with this id.
    Step(String),
    /// The gate after the step with this ordinal.
    Ordinal(u64),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

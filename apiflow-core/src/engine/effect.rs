//! Effects, which the engine requests from its host, and the answers to them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CacheKey, ExpressionNames, GateSelector, error_names};
use crate::call::Operation;
use crate::money::AttemptCost;
use crate::openflow::{InputTransform, NumberOrTransform};
use crate::ports::{Timestamp, ValueRef};

/// Something that the host has to do.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a handful live at a time, each for one turn")]
pub enum Effect {
    /// Free: evaluates what a module needs before it starts. Performed within the turn, without a commit of its own.
    Prepare(StepPreparation),
    /// Free: evaluates what follows a step. Performed within the turn, without a commit of its own.
    Conclude(StepConclusion),
    /// External: sends the attempt. Only the worker that journalled the attempt may send it.
    Call(Call),
    /// External: tells the provider that its work is no longer wanted.
    Cancel(Call),
    /// Timed: asks the provider for the state of its work.
    Poll(Call),
    /// Timed: searches for an attempt of unknown fate in the provider's list, see [`Recovery`].
    Recover(Call),
    /// External: downloads the media of a result ([`Call::download`]). Unlike a submit, it may be repeated.
    Download(Call),
    /// Timed: continues the list at a given time.
    Wait {
        /// The list of modules that waits.
        frame: u64,
        /// The time at which it continues.
        until: Timestamp,
    },
}

/// External work that a run waits for: the [`Effect`]s that are not free, by reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum OpenWork<'a> {
    /// A call to send, see [`Effect::Call`].
    Call(&'a Call),
    /// A call to cancel, see [`Effect::Cancel`].
    Cancel(&'a Call),
    /// An operation to poll, see [`Effect::Poll`].
    Poll(&'a Call),
    /// An attempt to search for, see [`Effect::Recover`].
    Recover(&'a Call),
    /// Media to download, see [`Effect::Download`].
    Download(&'a Call),
    /// A time to wait for, see [`Effect::Wait`].
    Wait {
        /// The list of modules that waits.
        frame: u64,
        /// The time at which it continues.
        until: Timestamp,
    },
}

impl From<OpenWork<'_>> for Effect {
    fn from(work: OpenWork<'_>) -> Self {
        match work {
            OpenWork::Call(call) => Self::Call(call.clone()),
            OpenWork::Cancel(call) => Self::Cancel(call.clone()),
            OpenWork::Poll(call) => Self::Poll(call.clone()),
            OpenWork::Recover(call) => Self::Recover(call.clone()),
            OpenWork::Download(call) => Self::Download(call.clone()),
            OpenWork::Wait { frame, until } => Self::Wait { frame, until },
        }
    }
}

/// One attempt of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Id of the attempt: the sequence number of the event that started it.
    pub effect: u64,
    /// Ordinal of the step.
    pub step: u64,
    /// Id of the module.
    pub step_id: String,
    /// Path of the node (`node/<node id>`).
    pub path: String,
    /// Reference to the arguments.
    pub args: ValueRef,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// The first attempt of this call; stays the same if an attempt repeats a call of unknown fate.
    pub first_effect: u64,
    /// When the attempt was journalled.
    pub started_at: Timestamp,
    /// Deadline of the submit, or of the operation once it was accepted.
    pub deadline: Timestamp,
    /// Deadline of the whole attempt, if the module has a `timeout`.
    pub until: Option<Timestamp>,
    /// When the operation is polled first.
    pub poll_at: Option<Timestamp>,
    /// Reference to the operation, once it was accepted.
    pub operation: Option<ValueRef>,
    /// The search for the attempt, if it is unknown whether the provider accepted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,
    /// Reference to the operation with the media to download, once the work has ended and only they are missing;
    /// `deadline` is then that of the downloads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download: Option<ValueRef>,
}

impl Call {
    /// Returns whether the provider is known to have taken the work, so that only its own answers count.
    pub(crate) fn is_taken(&self) -> bool {
        self.operation.is_some() || self.download.is_some()
    }
}

/// The search for an attempt of unknown fate: the provider's own list is read repeatedly until it contains the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// The event that started the search; distinguishes it from an earlier search for the same attempt.
    pub event: u64,
    /// From this time on, a list without the work settles the attempt: before, the submit may still be on its way.
    pub settles_at: Timestamp,
    /// When the attempt ends as `submit_unknown` because no list could be read.
    pub gives_up_at: Timestamp,
}

/// What a module needs before it starts.
#[derive(Debug, Clone, PartialEq)]
pub struct StepPreparation {
    /// The list of modules that waits.
    pub frame: u64,
    /// Evaluated first; if true, the module is skipped.
    pub skip_if: Option<String>,
    /// What is evaluated next, unless the module is skipped.
    pub ask: PreparationKind,
    /// Constant or computed timeout, in seconds.
    pub timeout: Option<NumberOrTransform>,
    /// Seconds for which the result is cached for later runs; `None`: it is not cached.
    pub cache_ttl_s: Option<u64>,
    /// Whether a result that an earlier run has cached is not used.
    pub fresh: bool,
    /// The names in scope.
    pub names: ExpressionNames,
}

/// What has to be evaluated.
#[derive(Debug, Clone, PartialEq)]
pub enum PreparationKind {
    /// Nothing has to be evaluated.
    Nothing,
    /// Whether a flow starts.
    Enter {
        /// The flow's `skip_expr`.
        skip_expr: Option<String>,
        /// Index of the flow.
        flow: usize,
    },
    /// The inputs of a call of the node at `path`, or of a sub-flow (`path` begins with `workflow/`).
    Inputs {
        /// Path of the module.
        path: String,
        /// The inputs; `None`: the flow's own arguments.
        transforms: Option<BTreeMap<String, InputTransform>>,
    },
    /// The result of inline code.
    Code {
        /// Its language tag.
        language: String,
        /// The source, with a function `main`.
        content: String,
        /// Arguments of `main`, by name.
        transforms: BTreeMap<String, InputTransform>,
    },
    /// The items of a loop.
    Items {
        /// The expression or constant that yields the array.
        iterator: InputTransform,
        /// Maximum number of iterations at a time.
        parallelism: Option<NumberOrTransform>,
    },
    /// The index of the first true predicate.
    Predicates(Vec<String>),
    /// The maximum number of branches at a time.
    Parallelism(NumberOrTransform),
}

/// The answer to [`StepPreparation`].
#[derive(Debug, Clone, PartialEq)]
pub enum PreparedStep {
    /// `skip_if` or `skip_expr` was true.
    Skip,
    /// Nothing had to be evaluated.
    Ready,
    /// The flow's `skip_expr` was false.
    Entered {
        /// Key under which its result is cached.
        cache: Option<CacheKey>,
    },
    /// The result of an earlier run is cached.
    Cached {
        /// The cached result.
        result: Value,
    },
    /// The outcome of inline code.
    Code {
        /// The arguments of `main`, an object.
        args: Value,
        /// Its value, or the error object.
        outcome: Result<Value, Value>,
        /// Key under which its value is cached.
        cache: Option<CacheKey>,
    },
    /// The inputs of a call or of a sub-flow.
    Inputs {
        /// The inputs by name, an object.
        args: Value,
        /// Key under which the result is cached.
        cache: Option<CacheKey>,
        /// Time limit of the submit, in milliseconds.
        timeout_ms: u64,
        /// Time limit of the whole attempt, in milliseconds, if the module has a `timeout`.
        bound_ms: Option<u64>,
    },
    /// The items of a loop.
    Items {
        /// The items, in order.
        items: Vec<Value>,
        /// Maximum number of iterations at a time.
        limit: Option<u64>,
    },
    /// The index of the first true predicate.
    Branch(Option<u64>),
    /// The maximum number of branches at a time.
    Limit(u64),
    /// The error object of a failed evaluation.
    Failed(Value),
}

/// What is evaluated after a step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepConclusion {
    /// The list of modules that waits.
    pub frame: u64,
    /// A condition: `stop_after_if`, `stop_after_all_iters_if` or `retry_if`.
    pub predicate: Option<String>,
    /// Seconds to sleep, evaluated if the condition is false.
    pub sleep: Option<InputTransform>,
    /// Reference to the error handler's result, which is searched for `recover`.
    pub recover: Option<ValueRef>,
    /// Whether the answer contains the step's result if the condition is true.
    pub include_result: bool,
    /// The names in scope.
    pub names: ExpressionNames,
}

/// The answer to [`StepConclusion`].
#[derive(Debug, Clone, PartialEq)]
pub struct ConcludedStep {
    /// Whether the condition was true, or the handler's result recovers.
    pub holds: bool,
    /// Milliseconds to sleep.
    pub sleep_ms: u64,
    /// The step's result, if it was requested.
    pub result: Option<Value>,
    /// The error object of a failed evaluation.
    pub error: Option<Value>,
}

/// The outcome of an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// The attempt succeeded.
    Done {
        /// The step's result.
        result: Value,
    },
    /// The provider accepted the work.
    Accepted {
        /// The operation, which is followed to its end.
        operation: Box<Operation>,
        /// The provider's id of the work.
        provider_id: Option<String>,
        /// When to poll first.
        poll_at: Timestamp,
        /// Deadline of the work.
        deadline: Timestamp,
    },
    /// The work ended with a result whose media is still to be downloaded ([`Operation::downloads`]).
    Downloading {
        /// The operation, with the result and the links; also that of a call that was answered at once.
        operation: Box<Operation>,
    },
    /// The attempt failed.
    Failed {
        /// The error object: `name` (class), `message` and details.
        error: Value,
    },
    /// The provider certainly refused the work, but will accept it later, because it limits the rate of calls. The call
    /// is repeated, at the earliest after [`retry_after_ms`](crate::call::CallError::retry_after_ms) of the error.
    NotAccepted {
        /// The error object, with which the attempt ends if waiting takes too long.
        error: Value,
        /// How long the call may be postponed if the module has no `timeout`, in milliseconds.
        patience_ms: u64,
        /// Whether the provider was asked; if not, nothing was sent because its rate limit is known.
        sent: bool,
        /// Whether the call waits for a slot of its connector's limits, without a deadline; [`Fact::SlotGranted`] follows.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        waits_for_slot: bool,
    },
    /// Its fate is unknown, but the call may be repeated: start another attempt.
    Repeat,
    /// Its fate is not known yet: the provider is asked repeatedly, see [`Recovery`].
    Undecided {
        /// When the search may settle the attempt, see [`Recovery::settles_at`].
        settles_at: Timestamp,
        /// When the search is abandoned, see [`Recovery::gives_up_at`].
        gives_up_at: Timestamp,
    },
    /// The cancellation was sent to the provider, or cannot be sent.
    Cancelled,
}

impl Answer {
    /// Returns whether the answer only says that the fate of the attempt could not be determined: the provider's own
    /// answer, if it arrives after all, takes precedence.
    pub(crate) fn knows_no_fate(&self) -> bool {
        match self {
            Self::Failed { error } => error.get("name").and_then(Value::as_str) == Some(error_names::SUBMIT_UNKNOWN),
            Self::Repeat | Self::Undecided { .. } => true,
            Self::Done { .. }
            | Self::Accepted { .. }
            | Self::Downloading { .. }
            | Self::NotAccepted { .. }
            | Self::Cancelled => false,
        }
    }

    /// Returns the inbox key, under which an answer to an attempt is delivered once. Answers that may follow each other
    /// have different keys: an attempt is accepted and then ends, and may be searched for several times.
    #[cfg(feature = "runtime")]
    pub(crate) fn delivery_key(&self, effect: u64, recovery: Option<Recovery>) -> String {
        match self {
            Self::Accepted { .. } => format!("accepted-{effect}"),
            Self::Downloading { .. } => format!("download-{effect}"),
            // A poll may have been answered before the cancellation reached the provider.
            Self::Cancelled => format!("cancelled-{effect}"),
            Self::Undecided { .. } => format!("undecided-{effect}"),
            // The work may be found later and still end: its end must not be mistaken for a repetition of this answer.
            unknown if unknown.knows_no_fate() => match recovery {
                Some(recovery) => format!("unknown-{effect}-{}", recovery.event),
                None => format!("unknown-{effect}"),
            },
            Self::Done { .. } | Self::Failed { .. } | Self::NotAccepted { .. } | Self::Repeat => {
                format!("answer-{effect}")
            }
        }
    }
}

/// An event outside of the job, as it is delivered to the inbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// An attempt was answered.
    Answered {
        /// Id of the attempt.
        effect: u64,
        /// The answer to the attempt.
        answer: Answer,
    },
    /// A call that waited for a slot of its connector's limits has it.
    SlotGranted {
        /// Ordinal of the step.
        step: u64,
    },
    /// A user approved or disapproved.
    Approval {
        /// The gate that is meant.
        target: GateSelector,
        /// Name of the approver, as the job shows it.
        approver: Option<String>,
        /// Whom the answer counts for (a user, a link): a gate counts one answer of each, however early it arrived.
        /// `None` counts always.
        #[serde(default)]
        counts_for: Option<String>,
        /// Whether it is a disapproval.
        disapproves: bool,
        /// Payload of the answer.
        payload: Value,
    },
    /// A user requested that the job ends.
    Cancel {
        /// The reason that was given.
        reason: String,
        /// Name of the user, if known.
        by: Option<String>,
    },
}

/// What a turn starts with.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Only the passing of time.
    Tick,
    /// The evaluation for a module that is about to start.
    Prepared {
        /// The list of modules that waits.
        frame: u64,
        /// The answer to the effect.
        prepared: PreparedStep,
        /// Time limit of each attempt of a module that contains others, in milliseconds, if it has a `timeout`.
        bound_ms: Option<u64>,
    },
    /// The evaluation for a step that has ended.
    Concluded {
        /// The list of modules that waits.
        frame: u64,
        /// The answer to the effect.
        concluded: ConcludedStep,
    },
    /// An event outside of the job.
    Fact(Fact),
    /// What an attempt cost; given before the answer that ends it.
    Cost {
        /// Id of the attempt.
        effect: u64,
        /// What it cost.
        cost: AttemptCost,
    },
    /// The job exceeds a limit of its runtime: it fails with this message, and its open work is cancelled.
    OverLimit {
        /// Which limit was exceeded, and how to fix it.
        message: String,
    },
    /// The job has crashed its worker repeatedly: it ends with this error object, and its open attempts as
    /// `submit_unknown`.
    Abandon {
        /// The error object.
        error: Value,
    },
}

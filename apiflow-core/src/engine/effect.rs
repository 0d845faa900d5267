//! What the engine asks of the world, and what the world answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CacheKey, ExpressionNames, GateSelector, ValueRef, error_names};
use crate::call::Operation;
use crate::openflow::{InputTransform, NumberOrTransform};
use crate::ports::Timestamp;

/// Something that the world owes.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a handful live at a time, each for one turn")]
pub enum Effect {
    /// Free: what a module needs before it begins. Performed inside the turn, without a commit of its own.
    Prepare(StepPreparation),
    /// Free: what follows a step. Performed inside the turn, without a commit of its own.
    Conclude(StepConclusion),
    /// Outside: send the attempt. Only who journalled the attempt may send it.
    Call(Call),
    /// Outside: tell the provider that nobody wants the work any more.
    Cancel(Call),
    /// Timed: ask the provider how far the work is.
    Poll(Call),
    /// Timed: look for an attempt of unknown fate among the provider's work, see [`Recovery`].
    Recover(Call),
    /// Timed: look at the list again at a moment.
    Wait {
        /// The list of modules that waits.
        frame: u64,
        /// The moment at which it goes on.
        until: Timestamp,
    },
}

/// What a run waits for outside of itself: the [`Effect`]s that are not free, without copies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OpenWork<'a> {
    /// A call to send, see [`Effect::Call`].
    Call(&'a Call),
    /// A call to cancel, see [`Effect::Cancel`].
    Cancel(&'a Call),
    /// An operation to poll, see [`Effect::Poll`].
    Poll(&'a Call),
    /// An attempt to look for, see [`Effect::Recover`].
    Recover(&'a Call),
    /// A moment to wait for, see [`Effect::Wait`].
    Wait {
        /// The list of modules that waits.
        frame: u64,
        /// The moment at which it goes on.
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
            OpenWork::Wait { frame, until } => Self::Wait { frame, until },
        }
    }
}

/// One attempt of a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// The attempt: the sequence number of the event that began it.
    pub effect: u64,
    /// The step's ordinal.
    pub step: u64,
    /// Id of the module.
    pub step_id: String,
    /// Path of the node (`node/<node id>`).
    pub path: String,
    /// Where the arguments are.
    pub args: ValueRef,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// The first sending of this call: stays the same if an attempt repeats a call of unknown fate.
    pub first_effect: u64,
    /// When the attempt was journalled.
    pub started_at: Timestamp,
    /// Until when: the submit's deadline, or the operation's once it was accepted.
    pub deadline: Timestamp,
    /// Until when the whole attempt may take, if the module has a `timeout`.
    pub until: Option<Timestamp>,
    /// When the operation is asked about first.
    pub poll_at: Option<Timestamp>,
    /// Where the operation is, once it was accepted.
    pub operation: Option<ValueRef>,
    /// How its fate is being found out, if nobody knows whether the provider took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,
}

/// How the fate of an attempt is found out of which nobody knows whether the provider took it: the provider's own list
/// is read again and again until it shows the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recovery {
    /// The event that began the search: distinguishes it from an earlier search for the same attempt.
    pub event: u64,
    /// From this moment on a list that was read and lacks the work settles the attempt: before it, the submit may
    /// still be on its way.
    pub settles_at: Timestamp,
    /// When the attempt ends as `submit_unknown` although no list could be read.
    pub gives_up_at: Timestamp,
}

/// What a module needs before it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct StepPreparation {
    /// The list of modules that waits.
    pub frame: u64,
    /// Evaluated first: true means skip.
    pub skip_if: Option<String>,
    /// What is evaluated next, unless the module is skipped.
    pub ask: PreparationKind,
    /// Plain or computed bound in seconds.
    pub timeout: Option<NumberOrTransform>,
    /// Seconds for which its result is kept for later runs of the same; `None`: it is not.
    pub cache_ttl_s: Option<u64>,
    /// What the expressions may name.
    pub names: ExpressionNames,
}

/// What a module evaluates.
#[derive(Debug, Clone, PartialEq)]
pub enum PreparationKind {
    /// Nothing is to be evaluated.
    Nothing,
    /// Whether a flow is to begin.
    Enter {
        /// The flow's `skip_expr`.
        skip_expr: Option<String>,
        /// The flow's number.
        flow: usize,
    },
    /// The inputs of a call of the node at `path`, or of a sub-flow (`path` starts with `workflow/`).
    Inputs {
        /// The module's path.
        path: String,
        /// The inputs; `None`: the flow's own arguments.
        transforms: Option<BTreeMap<String, InputTransform>>,
    },
    /// The result of inline code.
    Code {
        /// Its language tag.
        language: String,
        /// The text, with a function `main`.
        content: String,
        /// Arguments of `main`, by name.
        transforms: BTreeMap<String, InputTransform>,
    },
    /// A loop's items.
    Items {
        /// The expression that the array comes from.
        iterator: InputTransform,
        /// Maximum number at a time.
        parallelism: Option<NumberOrTransform>,
    },
    /// The first true one.
    Predicates(Vec<String>),
    /// A number of branches at a time.
    Parallelism(NumberOrTransform),
}

/// The answer to [`StepPreparation`].
#[derive(Debug, Clone, PartialEq)]
pub enum PreparedStep {
    /// `skip_if` or `skip_expr` was true.
    Skip,
    /// Nothing was to be evaluated.
    Ready,
    /// The flow's `skip_expr` was false.
    Entered {
        /// Under what its result is to be kept.
        cache: Option<CacheKey>,
    },
    /// The result is there from an earlier run.
    Cached {
        /// The result of the earlier run.
        result: Value,
    },
    /// What inline code gave.
    Code {
        /// The arguments of `main`, an object.
        args: Value,
        /// Its value, or the error object.
        outcome: Result<Value, Value>,
        /// Under what its value is to be kept.
        cache: Option<CacheKey>,
    },
    /// The inputs of a call or of a sub-flow.
    Inputs {
        /// The inputs by name, an object.
        args: Value,
        /// Under what the result is to be kept.
        cache: Option<CacheKey>,
        /// Bound on the submit, in milliseconds.
        timeout_ms: u64,
        /// Bound on the whole attempt, in milliseconds, if the module has a `timeout`.
        bound_ms: Option<u64>,
    },
    /// A loop's items.
    Items {
        /// The items, in order.
        items: Vec<Value>,
        /// Maximum number at a time.
        limit: Option<u64>,
    },
    /// The first true predicate.
    Branch(Option<u64>),
    /// A number of branches at a time.
    Limit(u64),
    /// Something could not be evaluated: the error object.
    Failed(Value),
}

/// What follows a step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepConclusion {
    /// The list of modules that waits.
    pub frame: u64,
    /// A predicate: `stop_after_if`, `stop_after_all_iters_if` or `retry_if`.
    pub predicate: Option<String>,
    /// Seconds to wait, evaluated when the predicate is false.
    pub sleep: Option<InputTransform>,
    /// Where the error handler's result is, to be searched for `recover`.
    pub recover: Option<ValueRef>,
    /// Whether the answer is to bring the step's result if the predicate holds.
    pub include_result: bool,
    /// What the expressions may name.
    pub names: ExpressionNames,
}

/// The answer to [`StepConclusion`].
#[derive(Debug, Clone, PartialEq)]
pub struct ConcludedStep {
    /// Whether the predicate was true, or the handler's result recovers.
    pub holds: bool,
    /// Milliseconds to wait.
    pub sleep_ms: u64,
    /// The step's result, if it was asked for.
    pub result: Option<Value>,
    /// The error object if something could not be evaluated.
    pub error: Option<Value>,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// The attempt succeeded.
    Done {
        /// The step's result.
        result: Value,
    },
    /// The provider took the work.
    Accepted {
        /// What is needed to follow it.
        operation: Box<Operation>,
        /// The provider's own id.
        provider_id: Option<String>,
        /// When to ask first.
        poll_at: Timestamp,
        /// When it counts as too slow.
        deadline: Timestamp,
    },
    /// The attempt failed.
    Failed {
        /// The error object: `name` (class), `message` and more.
        error: Value,
    },
    /// The provider certainly did not take the work, and will later: it limits the rate of calls. The call is made
    /// again, after [`retry_after_ms`](crate::call::CallError::retry_after_ms) of the error at least.
    NotAccepted {
        /// The error object, which the attempt ends with if waiting takes too long.
        error: Value,
        /// How long the call may be put off if the module has no `timeout`, in milliseconds.
        patience_ms: u64,
        /// Whether the provider was asked; otherwise nothing was sent, since it is known to take none.
        sent: bool,
    },
    /// Its fate is unknown but the call may be repeated: begin another attempt.
    Repeat,
    /// Its fate is not known yet: the provider is asked until a moment, see [`Recovery`].
    Undecided {
        /// When the search may settle the attempt, see [`Recovery::settles_at`].
        settles_at: Timestamp,
        /// When the search is given up, see [`Recovery::gives_up_at`].
        gives_up_at: Timestamp,
    },
    /// The cancellation was sent to the provider, or cannot be sent.
    Cancelled,
}

impl Answer {
    /// Whether it only says that nobody could find out what became of the attempt: it is wrong if the provider's
    /// own answer comes in after all.
    pub(crate) fn knows_no_fate(&self) -> bool {
        match self {
            Self::Failed { error } => error.get("name").and_then(Value::as_str) == Some(error_names::SUBMIT_UNKNOWN),
            Self::Repeat | Self::Undecided { .. } => true,
            Self::Done { .. } | Self::Accepted { .. } | Self::NotAccepted { .. } | Self::Cancelled => false,
        }
    }

    /// The inbox key under which this answer to an attempt is delivered once. Answers that may follow each other have
    /// different keys: an attempt is accepted and then ends, and may be looked for several times.
    #[cfg(feature = "runtime")]
    pub(crate) fn delivery_key(&self, effect: u64, recovery: Option<Recovery>) -> String {
        match self {
            Self::Accepted { .. } => format!("accepted-{effect}"),
            // A poll may have answered before the cancellation reached the provider.
            Self::Cancelled => format!("cancelled-{effect}"),
            Self::Undecided { .. } => format!("undecided-{effect}"),
            // The work may be found later and end all the same: its end must not be taken for a repetition of this.
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

/// Something that happened outside, as it waits in the inbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fact", rename_all = "snake_case")]
pub enum Fact {
    /// An attempt was answered.
    Answered {
        /// The attempt that was answered.
        effect: u64,
        /// The answer to the effect.
        answer: Answer,
    },
    /// Somebody approved or disapproved.
    Approval {
        /// Which gate is meant.
        target: GateSelector,
        /// The name that the job shows.
        approver: Option<String>,
        /// Who it counts for (a user, a link): a gate counts one answer of each, however early it came. `None` counts
        /// always.
        #[serde(default)]
        counts_for: Option<String>,
        /// Whether it is a disapproval.
        disapproves: bool,
        /// What came with it.
        payload: Value,
    },
    /// Somebody asked for the job's end.
    Cancel {
        /// The reason that was given.
        reason: String,
        /// The name of the user who asked, if known.
        by: Option<String>,
    },
}

/// What a turn begins with.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// Nothing but the passing of time.
    Tick,
    /// An evaluation for a module that is about to begin.
    Prepared {
        /// The list of modules that waits.
        frame: u64,
        /// The answer to the effect.
        prepared: PreparedStep,
        /// Bound on each whole attempt of a module that holds others, in milliseconds, if it has a `timeout`.
        bound_ms: Option<u64>,
    },
    /// An evaluation for a step that has ended.
    Concluded {
        /// The list of modules that waits.
        frame: u64,
        /// The answer to the effect.
        concluded: ConcludedStep,
    },
    /// Something that happened outside.
    Fact(Fact),
    /// The job goes over a limit of its runtime: it fails with this message, and what it has at work is called off.
    OverLimit {
        /// Which limit, and how to fix it.
        message: String,
    },
    /// The job repeatedly crashed its worker: it ends here with this error object, and its open attempts as
    /// `submit_unknown`.
    Abandon {
        /// The error object.
        error: Value,
    },
}

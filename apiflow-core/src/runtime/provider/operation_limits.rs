//! The limits of an operation: in the provider's queue, running, and in all.

use super::poll::PollContext;
use crate::call::{CallPlan, ReplyReading};
use crate::ports::Timestamp;

/// When the limits of an operation pass.
pub(super) struct OperationLimits {
    /// When the work was first seen running.
    pub(super) running_since: Option<Timestamp>,
    queue: Option<Timestamp>,
    run: Option<Timestamp>,
    whole: Timestamp,
}

/// A limit that has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PassedLimit {
    /// The work waited too long in the provider's queue.
    Queue,
    /// The work ran too long.
    Run,
    /// The work did not end before its deadline.
    Whole,
}

impl OperationLimits {
    /// Determines the limits after a poll.
    pub(super) fn new(plan: &CallPlan, context: &PollContext, reading: &ReplyReading, now: Timestamp) -> Self {
        let is_queued = match reading {
            ReplyReading::Running(operation) => Some(operation.is_queued),
            ReplyReading::Done(_) | ReplyReading::Fetch(_) | ReplyReading::Download(_) => Some(false),
            ReplyReading::Again(_) | ReplyReading::Failed(_) => None,
        };
        let starts = is_queued == Some(false) && plan.run_timeout_ms().or(plan.queue_timeout_ms()).is_some();
        let running_since = context.running_since.or_else(|| starts.then_some(now));
        let queued_since = context.accepted_at.filter(|_| running_since.is_none());
        let plus = |since: Option<Timestamp>, limit: Option<u64>| Some(since?.plus_ms(limit?));
        Self {
            running_since,
            queue: plus(queued_since, plan.queue_timeout_ms()),
            run: plus(running_since, plan.run_timeout_ms()),
            whole: context.deadline,
        }
    }

    /// Returns when the first limit passes.
    pub(super) fn first_moment(&self) -> Timestamp {
        [self.queue, self.run].into_iter().flatten().fold(self.whole, Timestamp::min)
    }

    /// Returns a limit that has passed.
    pub(super) fn passed_at(&self, now: Timestamp) -> Option<PassedLimit> {
        let has_passed = |limit: Option<Timestamp>| limit.is_some_and(|limit| limit <= now);
        match () {
            () if self.whole <= now => Some(PassedLimit::Whole),
            () if has_passed(self.queue) => Some(PassedLimit::Queue),
            () if has_passed(self.run) => Some(PassedLimit::Run),
            () => None,
        }
    }
}

impl PassedLimit {
    /// Returns the name in the error's details.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Run => "run",
            Self::Whole => "operation",
        }
    }

    /// Returns what happened to the work, and how to fix it.
    pub(super) fn describe(self) -> (&'static str, &'static str) {
        match self {
            Self::Queue => (
                "waited too long in the provider's queue",
                "raise the operation's `queue_timeout_s` if it may wait longer",
            ),
            Self::Run => ("ran too long", "raise the operation's `run_timeout_s` if it may run longer"),
            Self::Whole => ("did not end before its deadline", "raise the node's `data.timeout_s` if it needs longer"),
        }
    }
}

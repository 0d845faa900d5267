//! What the rest of the engine asks of an event, whatever its kind.

use serde_json::Value;

use super::{CacheKey, Event};
use crate::engine::ValueRef;

impl Event {
    /// Under what a result is cached for later runs, and the result, if this event, recorded at `seq`, brings one.
    pub fn cached_result(&self, seq: u64) -> Option<(&CacheKey, ValueRef)> {
        let (cache, result) = if let Self::StepCompleted { cache: Some(cache), result, .. }
        | Self::JobFinished { cache: Some(cache), output: result, .. } = self
        {
            (cache, result.clone())
        } else if let Self::FrameClosed { cache: Some(cache), result, .. } = self {
            (cache, Some(result.clone()))
        } else {
            return None;
        };
        Some((cache, result.unwrap_or(ValueRef::Row(seq))))
    }

    /// The error object that it records of a step or a list; that of the job is [`Event::job_error_mut`].
    pub(in crate::engine) fn step_error_mut(&mut self) -> Option<&mut Value> {
        if let Self::AttemptFailed { error, .. } | Self::CallPostponed { error, .. } | Self::GateFailed { error, .. } =
            self
        {
            Some(error)
        } else if let Self::FrameClosed { error, .. } = self {
            error.as_mut()
        } else {
            None
        }
    }

    /// The error object that the job ends with.
    pub(in crate::engine) fn job_error_mut(&mut self) -> Option<&mut Value> {
        if let Self::FlowEnded { error, .. } | Self::JobFinished { error, .. } = self { error.as_mut() } else { None }
    }

    /// The approvals that a gate took, by the events that brought them.
    pub(in crate::engine) fn taken_approvals(&self) -> &[u64] {
        if let Self::GatePassed { taken, .. } | Self::GateFailed { taken, .. } = self { taken } else { &[] }
    }

    /// The event whose value it reuses as the outcome of a step, if it does.
    pub(in crate::engine) fn outcome_row(&self) -> Option<u64> {
        if let Self::StepPassed { result: ValueRef::Row(row), .. }
        | Self::StepCompleted { result: Some(ValueRef::Row(row)), .. }
        | Self::AttemptFailed { result: Some(ValueRef::Row(row)), .. } = self
        {
            Some(*row)
        } else {
            None
        }
    }

    /// Whether it begins or ends work. What only follows from the end of a failed attempt does not: its list, the flow
    /// and the job end, its error handler begins. [`Event::AttemptFailed`] itself does.
    pub(in crate::engine) fn begins_or_ends_work(&self) -> bool {
        !matches!(
            self,
            Self::StepFailed { caught: false, .. }
                | Self::FrameClosed { .. }
                | Self::FrameOpened { handler: true, .. }
                | Self::ResultReused { .. }
                | Self::ApprovalReceived { .. }
                | Self::RecoveryStarted { .. }
                | Self::OrphanSettled { .. }
                | Self::FlowEnded { .. }
                | Self::JobFinished { .. }
        )
    }

    /// The lists of modules whose state it changes.
    pub(in crate::engine) fn changed_frames(&self) -> impl Iterator<Item = u64> {
        let (frame, child) = match self {
            Self::Created { .. } => (Some(0), None),
            Self::FrameOpened { frame, child, .. } | Self::FrameClosed { frame, child, .. } => {
                (Some(*frame), Some(*child))
            }
            Self::Preprocessed { frame }
            | Self::Entered { frame, .. }
            | Self::GateClosed { frame, .. }
            | Self::GatePassed { frame, .. }
            | Self::GateFailed { frame, .. }
            | Self::TimedOut { frame }
            | Self::RaceWon { frame, .. }
            | Self::StepStarted { frame, .. }
            | Self::StepPassed { frame, .. }
            | Self::AttemptStarted { frame, .. }
            | Self::OperationAccepted { frame, .. }
            | Self::RecoveryStarted { frame, .. }
            | Self::AttemptFailed { frame, .. }
            | Self::CallPostponed { frame, .. }
            | Self::RetryScheduled { frame, .. }
            | Self::StepCompleted { frame, .. }
            | Self::StepFailed { frame, .. }
            | Self::SleepStarted { frame, .. }
            | Self::Advanced { frame } => (Some(*frame), None),
            Self::ResultReused { .. }
            | Self::ApprovalReceived { .. }
            | Self::CancelRequested { .. }
            | Self::OrphanSettled { .. }
            | Self::FlowEnded { .. }
            | Self::JobReopened { .. }
            | Self::JobFinished { .. } => (None, None),
        };
        frame.into_iter().chain(child)
    }
}

//! Queries about events, whatever their kind.

#[cfg(feature = "runtime")]
use serde_json::Value;

use super::{CacheKey, Ending, Event};
use crate::ports::ValueRef;

impl Event {
    /// Returns the result that this event, recorded at `seq`, caches for later runs, with its key.
    pub fn cached_result(&self, seq: u64) -> Option<(&CacheKey, ValueRef)> {
        let (cache, result) = if let Self::StepCompleted { cache: Some(cache), result, .. }
        | Self::JobFinished(Ending { cache: Some(cache), output: result, .. }) = self
        {
            (cache, result.clone())
        } else if let Self::FrameClosed { cache: Some(cache), result, .. } = self {
            (cache, Some(result.clone()))
        } else {
            return None;
        };
        Some((cache, result.unwrap_or(ValueRef::Row(seq))))
    }

    /// Returns the lists of modules whose state the event changes.
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
            | Self::DownloadStarted { frame, .. }
            | Self::AttemptFailed { frame, .. }
            | Self::CostRecorded { frame, .. }
            | Self::SlotGranted { frame }
            | Self::FallbackStarted { frame, .. }
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
            | Self::FlowEnded(_)
            | Self::JobReopened { .. }
            | Self::JobFinished(_) => (None, None),
        };
        frame.into_iter().chain(child)
    }
}

#[cfg(feature = "runtime")]
impl Event {
    /// Returns the error object of a step or a list in the event; that of the job is returned by
    /// [`Event::job_error_mut`].
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

    /// Returns the error object with which the job ends.
    pub(in crate::engine) fn job_error_mut(&mut self) -> Option<&mut Value> {
        if let Self::FlowEnded(ending) | Self::JobFinished(ending) = self { ending.error.as_mut() } else { None }
    }

    /// Returns the approvals that a gate took, by the events that recorded them.
    pub(in crate::engine) fn taken_approvals(&self) -> &[u64] {
        if let Self::GatePassed { taken, .. } | Self::GateFailed { taken, .. } = self { taken } else { &[] }
    }

    /// Returns the event whose value this one reuses as the outcome of a step.
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

    /// Returns whether the event starts or ends work. What merely follows from the end of a failed attempt does not:
    /// its list, the flow and the job end, and its error handler starts. [`Event::AttemptFailed`] itself does.
    pub(in crate::engine) fn begins_or_ends_work(&self) -> bool {
        !matches!(
            self,
            Self::StepFailed { caught: false, .. }
                | Self::FrameClosed { .. }
                | Self::FrameOpened { handler: true, .. }
                | Self::ResultReused { .. }
                | Self::ApprovalReceived { .. }
                | Self::RecoveryStarted { .. }
                | Self::CostRecorded { .. }
                | Self::SlotGranted { .. }
                | Self::OrphanSettled { .. }
                | Self::FlowEnded(_)
                | Self::JobFinished(_)
        )
    }
}

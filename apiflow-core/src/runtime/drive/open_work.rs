//! Determines in one pass what a run waits for after a turn.

use std::collections::{BTreeMap, BTreeSet};

use super::Drive;
use super::turn::Batch;
use crate::call::Operation;
use crate::engine::{Call, Event, OpenWork, Run};
use crate::ports::{Poll, Timestamp};
use crate::runtime::provider::{PollContext, PollSubject, RecoveryContext, first_look_at};

/// What a run waits for after a turn.
#[derive(Default)]
pub(super) struct OpenWorkView {
    /// Attempts that the turn's events start.
    pub(super) begun: Vec<Call>,
    /// How to cancel attempts that are no longer needed.
    pub(super) cancellations: Vec<Cancellation>,
    /// Attempts whose media is to be downloaded, and is not yet.
    pub(super) downloads: Vec<Call>,
    /// When the job has to wake up by itself.
    pub(super) wake_at: Option<Timestamp>,
    /// Polls of operations that the turn's events accept, and of searches that they start.
    pub(super) polls: Vec<Poll>,
    /// Attempts whose polls end: those that are settled, and those that are cancelled at the provider instead.
    pub(super) polls_cleared: Vec<u64>,
}

/// How to cancel an attempt that is no longer needed.
pub(super) enum Cancellation {
    /// There is nothing to cancel: the attempt has ended.
    AtOnce(u64),
    /// The provider has to be asked.
    TellProvider(Box<Call>),
    /// The provider is being asked.
    UnderWay,
}

impl OpenWorkView {
    /// Returns the polls to add and those to remove.
    pub(super) fn into_polls(self) -> (Vec<Poll>, Vec<u64>) {
        (self.polls, self.polls_cleared)
    }
}

/// What a turn's events mean for open work.
#[derive(Default)]
struct TurnEvents {
    /// Attempts that they start.
    begun: BTreeSet<u64>,
    /// Operations that they accept, by attempt.
    accepted: BTreeMap<u64, Operation>,
    /// Searches that they start.
    searches: BTreeSet<u64>,
    /// Attempts whose downloads they start.
    downloads: BTreeSet<u64>,
    /// Whether attempts are no longer needed.
    gives_up: bool,
}

impl TurnEvents {
    fn of_batch(batch: &Batch) -> Self {
        let mut found = Self::default();
        for recorded in &batch.events {
            match &recorded.event {
                Event::StepStarted { .. } | Event::AttemptStarted { .. } => {
                    found.begun.insert(recorded.seq);
                }
                Event::OperationAccepted { effect, .. } => {
                    if let Some(operation) = batch.operations.get(effect) {
                        found.accepted.insert(*effect, (**operation).clone());
                    }
                }
                Event::DownloadStarted { effect, .. } => {
                    found.downloads.insert(*effect);
                }
                Event::RecoveryStarted { .. } => {
                    found.searches.insert(recorded.seq);
                }
                Event::CancelRequested { .. }
                | Event::FlowEnded(_)
                | Event::RaceWon { .. }
                | Event::TimedOut { .. } => found.gives_up = true,
                Event::Created { .. }
                | Event::Preprocessed { .. }
                | Event::Entered { .. }
                | Event::ResultReused { .. }
                | Event::StepPassed { .. }
                | Event::CallPostponed { .. }
                | Event::CostRecorded { .. }
                | Event::SlotGranted { .. }
                | Event::FallbackStarted { .. }
                | Event::AttemptFailed { .. }
                | Event::RetryScheduled { .. }
                | Event::StepCompleted { .. }
                | Event::StepFailed { .. }
                | Event::ApprovalReceived { .. }
                | Event::GateClosed { .. }
                | Event::GatePassed { .. }
                | Event::GateFailed { .. }
                | Event::SleepStarted { .. }
                | Event::Advanced { .. }
                | Event::FrameOpened { .. }
                | Event::FrameClosed { .. }
                | Event::OrphanSettled { .. }
                | Event::JobReopened { .. }
                | Event::JobFinished(_) => {}
            }
        }
        found
    }
}

impl Drive<'_> {
    /// Returns what the run waits for after a turn with these events. Records which attempts are searched for.
    pub(super) fn open_work(&mut self, batch: &Batch) -> OpenWorkView {
        let mut events = TurnEvents::of_batch(batch);
        let mut view = OpenWorkView::default();
        let mut sought = BTreeSet::new();
        let mut orphans = Vec::new();
        for work in self.run.open_work() {
            match work {
                OpenWork::Call(call) => {
                    if events.begun.contains(&call.effect) {
                        view.begun.push(call.clone());
                    }
                }
                OpenWork::Poll(call) => {
                    if let Some(operation) = events.accepted.remove(&call.effect) {
                        view.polls.push(operation_poll(call, operation, self.now()));
                    }
                }
                OpenWork::Download(call) => {
                    if !self.out.contains_key(&call.effect) {
                        view.downloads.push(call.clone());
                    }
                    if events.downloads.contains(&call.effect) {
                        view.polls_cleared.push(call.effect);
                    }
                }
                OpenWork::Recover(call) => {
                    sought.insert(call.effect);
                    view.polls.extend(self.search_poll(call, &events));
                }
                OpenWork::Cancel(call) => {
                    view.polls.extend(self.search_poll(call, &events));
                    if call.operation.is_some() {
                        orphans.push(call.effect);
                    } else if call.recovery.is_some() {
                        sought.insert(call.effect);
                    }
                    view.cancellations.extend(self.cancellation_of(call));
                }
                OpenWork::Wait { until, .. } => view.wake_at = Some(view.wake_at.map_or(until, |at| at.min(until))),
            }
        }
        view.wake_at = view.wake_at.into_iter().chain(self.postponed).min();
        view.polls_cleared.extend(self.sought.difference(&sought).copied());
        if events.gives_up {
            view.polls_cleared.extend(orphans);
        }
        self.sought = sought;
        view
    }

    /// Returns how to cancel an attempt that is no longer needed. Cancelling requires the id of the operation, so the
    /// reply to its submit is waited for.
    fn cancellation_of(&self, call: &Call) -> Option<Cancellation> {
        if self.is_over_at_once(call) {
            return Some(Cancellation::AtOnce(call.effect));
        }
        call.operation.as_ref()?;
        let is_told = self.out.contains_key(&call.effect);
        Some(if is_told { Cancellation::UnderWay } else { Cancellation::TellProvider(Box::new(call.clone())) })
    }

    /// Returns the first poll of a search that the turn starts.
    fn search_poll(&self, call: &Call, events: &TurnEvents) -> Option<Poll> {
        let search = call.recovery.filter(|search| events.searches.contains(&search.event))?;
        let plan = self.plans.plan_at(&call.path).ok();
        let due_at = first_look_at(plan.as_deref(), self.now(), search.settles_at);
        let subject = PollSubject::Recovery(RecoveryContext::for_call(call, search));
        Some(poll(call, due_at, PollContext::for_call(call, subject)))
    }
}

/// Returns the attempts of unknown fate that polls search for.
pub(super) fn attempts_in_recovery(run: &Run) -> BTreeSet<u64> {
    let sought = |work: OpenWork<'_>| match work {
        OpenWork::Recover(call) => Some(call.effect),
        OpenWork::Cancel(call) if call.operation.is_none() => call.recovery.map(|_| call.effect),
        OpenWork::Call(_) | OpenWork::Cancel(_) | OpenWork::Poll(_) | OpenWork::Download(_) | OpenWork::Wait { .. } => {
            None
        }
    };
    run.open_work().filter_map(sought).collect()
}

/// Returns the poll of work that a provider has accepted.
pub(in crate::runtime) fn operation_poll(call: &Call, operation: Operation, accepted_at: Timestamp) -> Poll {
    let context = PollContext::for_call(call, PollSubject::Operation(operation));
    poll(call, call.poll_at.unwrap_or(call.deadline), PollContext { accepted_at: Some(accepted_at), ..context })
}

fn poll(call: &Call, due_at: Timestamp, context: PollContext) -> Poll {
    Poll { effect: call.effect, due_at, ticket: serde_json::to_value(context).expect("a context is plain data") }
}

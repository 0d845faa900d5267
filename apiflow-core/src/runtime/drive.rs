//! Drives one claimed job until it waits or ends: loads it, decides, commits and performs effects.

mod calls;
mod costs;
mod ended_steps;
mod open_work;
mod release;
mod turn;
mod wait_for_news;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use self::ended_steps::RememberedSteps;
pub(super) use self::open_work::operation_poll;
use self::turn::TurnEffects;
use super::inbox_payload::InboxPayload;
use super::notifier::{Mailbox, RegisteredDrive};
use super::store_health::pause_ms;
use super::{Inner, RuntimeSettings, abandon};
use crate::call::{CallPlans, ReportedCost};
use crate::engine::{Answer, Program, Recorded, Run, error_names};
use crate::evaluate::ValueCache;
use crate::ports::{CallRecord, Claim, Created, JobRow, JobStart, LoadedJob, NewJob, StoreError, Timestamp};
use crate::prepared::Prepared;

/// Number of events between the first two snapshots of a run that never waits; doubled each time.
const MIN_SNAPSHOT_EVENTS: u64 = 64;

/// Drives a job until it waits, ends, or is lost to another worker. The permit `alone` is released with the first
/// commit.
pub(super) async fn drive_job(inner: &Arc<Inner>, claim: Claim, alone: Option<OwnedSemaphorePermit>) {
    let registered = inner.notifier.register_drive(&claim.job);
    let mailbox = registered.mailbox().clone();
    let outcome = load_and_run(inner, &claim, &mailbox, alone).await;
    finish_drive(inner, &claim, registered, outcome).await;
}

/// Notifies the worker and those who watch the job of how a drive ended, and logs it.
async fn finish_drive(inner: &Inner, claim: &Claim, registered: RegisteredDrive<'_>, outcome: Result<(), StoreError>) {
    let mailbox = registered.mailbox().clone();
    drop(registered);
    if outcome.is_err() || mailbox.take_mail_flag() {
        // A message after the drive's last check makes the job due again.
        inner.notifier.notify_work();
    }
    match outcome {
        Ok(()) => {}
        Err(StoreError::Fenced { job }) => tracing::info!(job, "the job was taken over by another worker"),
        Err(error) if error.fault().is_some() => {
            // The failure of the store was logged where it was detected.
            tracing::debug!(%error, job = claim.job, "the store is unavailable: the job continues once it is back");
            if let Err(error) = inner.parts.store.undo_solo_start(&claim.job, claim.version).await {
                tracing::warn!(%error, job = claim.job, "the outage of the store could not be recorded");
            }
        }
        Err(error) => tracing::error!(%error, job = claim.job, "the job stopped on this worker; its lease will expire"),
    }
    inner.notifier.notify_change(&claim.job, true);
}

/// A job that this process creates and then drives.
pub(super) struct NewDrive {
    pub(super) job: NewJob,
    pub(super) prepared: Arc<Prepared>,
    /// The first events, with their values.
    pub(super) events: Vec<Recorded>,
    /// Receives the outcome of creating the job.
    pub(super) created: oneshot::Sender<Result<Created, StoreError>>,
}

/// Creates a job, together with its first turn if it needs no slot, and drives it.
pub(super) async fn drive_new_job(inner: &Arc<Inner>, new: NewDrive) {
    let NewDrive { job, prepared, events, created } = new;
    let id = job.id.clone();
    let mut drive = Drive::of_new_job(inner, &job, &prepared, &events);
    let mut first_turn = None;
    if job.concurrency.is_none() {
        match drive.run_first_turn(job.created_at).await {
            Ok(turn) => first_turn = Some(turn),
            // The caller may be gone.
            Err(error) => return drop(created.send(Err(error))),
        }
    }
    let (turn, effects) = first_turn.map_or((None, None), |turn| (turn.commit.map(Box::new), Some(turn.effects)));
    let RuntimeSettings { worker, lease, .. } = &inner.settings;
    let outcome =
        inner.parts.store.create_job(job, Some(JobStart { worker: worker.clone(), lease: *lease, turn })).await;
    let Ok(Created::New { claim: Some(claim) }) = &outcome else {
        if let Ok(Created::New { claim: None }) = &outcome {
            inner.notifier.notify_work();
        }
        return drop(created.send(outcome));
    };
    let claim = claim.clone();
    let registered = inner.notifier.register_drive(&id);
    let mailbox = registered.mailbox().clone();
    inner.prepared.add_job(&id, prepared);
    drive.version = claim.version;
    drop(created.send(outcome));
    let outcome = drive.run_turns(&mailbox, effects).await;
    finish_drive(inner, &claim, registered, outcome).await;
}

async fn load_and_run(
    inner: &Arc<Inner>,
    claim: &Claim,
    mailbox: &Mailbox,
    alone: Option<OwnedSemaphorePermit>,
) -> Result<(), StoreError> {
    let mut drive = match Drive::of_loaded(inner, claim, load(inner, claim, mailbox).await?) {
        Ok(drive) => drive,
        Err(Unreadable { reason, last_seq, program }) => {
            let error = serde_json::json!({"name": error_names::INTERNAL_ERROR, "message": reason});
            return abandon::end_unreadable(inner, claim, program, last_seq, error).await;
        }
    };
    drive.alone = alone;
    drive.run_turns(mailbox, None).await
}

/// Loads the job. Retries while the store is unavailable, so that the claim does not count as one without a commit.
async fn load(inner: &Inner, claim: &Claim, mailbox: &Mailbox) -> Result<LoadedJob, StoreError> {
    let mut failures = 0;
    loop {
        let error = match inner.parts.store.load_job(&claim.job).await {
            Err(error) if error.fault().is_some() && !mailbox.is_lost() && !inner.notifier.is_stopping() => error,
            loaded => return loaded,
        };
        let now = inner.parts.clock.now();
        inner.health.note_failure(&error, now);
        inner.parts.clock.sleep_until(now.plus_ms(pause_ms(failures))).await;
        failures += 1;
    }
}

/// A job whose document or journal cannot be read.
struct Unreadable {
    reason: String,
    last_seq: u64,
    /// The compiled document, if it could be read: determines what is erased.
    program: Arc<Program>,
}

/// What a call in flight returns.
struct Returned {
    effect: u64,
    answer: Answer,
    calls: Vec<CallRecord>,
    reported_cost: ReportedCost,
}

/// An input of the next turn.
struct Taken {
    payload: InboxPayload,
    /// Number of the inbox message, if it is one.
    message: Option<i64>,
}

struct Drive<'a> {
    inner: &'a Arc<Inner>,
    job: String,
    version: u64,
    /// The job's row as of the last commit.
    committed: JobRow,
    /// Approximate size of the committed values, in bytes of JSON.
    value_bytes: u64,
    run: Run,
    values: ValueCache,
    steps: RememberedSteps,
    plans: Arc<CallPlans>,
    /// Whether the job's end may free a slot for another job.
    shares_slots: bool,
    /// Calls of this drive that are in flight.
    out: BTreeMap<u64, AbortHandle>,
    /// Those of them that are downloads.
    downloads: BTreeSet<u64>,
    tasks: JoinSet<()>,
    returns: (mpsc::UnboundedSender<Returned>, mpsc::UnboundedReceiver<Returned>),
    /// Facts for the next turn.
    facts: VecDeque<Taken>,
    /// Open attempts that may have a reservation or a slot, with the ordinals of their steps.
    counted: BTreeMap<u64, u64>,
    /// Attempts of unknown fate that polls search for.
    sought: BTreeSet<u64>,
    /// Inbox messages that have been taken.
    seen: BTreeSet<i64>,
    /// Inbox messages that cannot be parsed; consumed, so that they do not wake the job forever.
    unreadable: Vec<i64>,
    snapshot_seq: u64,
    snapshot_step: u64,
    /// When the inbox was last read.
    looked_at: Instant,
    /// When the job has to wake up by itself.
    wake_at: Option<Timestamp>,
    /// Until when no free effects are performed: the evaluator had no capacity.
    postponed: Option<Timestamp>,
    /// Held until the first commit by a job that may have crashed workers.
    alone: Option<OwnedSemaphorePermit>,
}

impl<'a> Drive<'a> {
    /// Creates the drive of a job that was loaded from the store.
    fn of_loaded(inner: &'a Arc<Inner>, claim: &Claim, loaded: LoadedJob) -> Result<Self, Unreadable> {
        let last_seq = loaded.job.last_seq;
        let unreadable =
            |program: &Arc<Program>, reason: String| Unreadable { reason, last_seq, program: program.clone() };
        let prepared = inner.prepared.of_job(&claim.job, loaded.bundle.clone());
        let prepared = prepared.map_err(|error| unreadable(&Arc::default(), error.to_string()))?;
        let program = prepared.program();
        let run = abandon::restore_run(program.clone(), &loaded).map_err(|reason| unreadable(program, reason))?;
        let mut drive = Self::new(inner, claim.version, &prepared, run, loaded.job);
        drive.value_bytes = loaded.value_bytes;
        drive.snapshot_seq = loaded.snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
        drive.take_mail(loaded.inbox);
        drive.seek_interrupted();
        Ok(drive)
    }

    /// Creates the drive of a job that will be created with these events.
    fn of_new_job(inner: &'a Arc<Inner>, job: &NewJob, prepared: &Prepared, events: &[Recorded]) -> Self {
        let mut run = Run::new(prepared.program().clone());
        for recorded in events {
            run.apply_event(recorded.seq, recorded.at, &recorded.event);
        }
        let _committed = run.take_rows();
        let mut drive = Self::new(inner, 0, prepared, run, job.to_row());
        drive.value_bytes = job.value_bytes();
        drive.values.record_events(events);
        drive.values.mark_committed();
        // Operations report on their steps without a commit.
        if inner.notifier.ends.is_watched(&job.id) && !prepared.plans().have_operations() {
            drive.steps = RememberedSteps::of_new_job();
        }
        drive
    }

    fn new(inner: &'a Arc<Inner>, version: u64, prepared: &Prepared, run: Run, committed: JobRow) -> Self {
        let job = committed.id.clone();
        if prepared.plans().have_limits() {
            inner.note_submit_limits();
        }
        Self {
            inner,
            version,
            values: ValueCache::new(Some(inner.parts.store.clone()), &job)
                .with_artifacts(inner.parts.artifacts.clone(), committed.created_by.clone()),
            steps: RememberedSteps::default(),
            job,
            committed,
            value_bytes: 0,
            counted: costs::counted_attempts(&run, prepared.plans()),
            sought: open_work::attempts_in_recovery(&run),
            run: run.with_limits(inner.settings.run_limits()),
            plans: prepared.plans().clone(),
            shares_slots: prepared.queue().shares_slots(),
            out: BTreeMap::new(),
            downloads: BTreeSet::new(),
            tasks: JoinSet::new(),
            returns: mpsc::unbounded_channel(),
            facts: VecDeque::new(),
            seen: BTreeSet::new(),
            unreadable: Vec::new(),
            snapshot_seq: 0,
            snapshot_step: MIN_SNAPSHOT_EVENTS,
            looked_at: Instant::now(),
            wake_at: None,
            postponed: None,
            alone: None,
        }
    }

    fn now(&self) -> Timestamp {
        self.inner.parts.clock.now()
    }

    /// Runs turns until the job waits, ends, or is lost. `written` are the effects of a turn that has already been
    /// committed.
    async fn run_turns(&mut self, mailbox: &Mailbox, mut written: Option<TurnEffects>) -> Result<(), StoreError> {
        loop {
            if mailbox.is_lost() {
                self.leave_job().await;
                return Err(StoreError::Fenced { job: self.job.clone() });
            }
            let stopping = self.inner.notifier.is_stopping();
            let over = match written.take() {
                Some(effects) => Ok(self.finish_turn(effects).await),
                None if stopping => self.wind_down().await,
                None => self.run_turn().await,
            };
            let heard = match over {
                Ok(true) => return Ok(()),
                Ok(false) => self.wait_for_news(mailbox, stopping).await,
                Err(error) => Err(error),
            };
            if let Err(error) = heard {
                self.inner.health.note_failure(&error, self.now());
                self.leave_job().await;
                if error.fault().is_some() {
                    self.give_back().await;
                }
                return Err(error);
            }
        }
    }
}

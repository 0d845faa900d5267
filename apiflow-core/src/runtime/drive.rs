//! Drives one claimed job until it waits or ends: loads it, decides, commits and performs effects.

mod calls;
mod inbox;
mod open_work;
mod release;
mod turn;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

pub(super) use self::open_work::operation_poll;
use super::inbox_payload::InboxPayload;
use super::notifier::Mailbox;
use super::store_health::pause_ms;
use super::{Inner, abandon};
use crate::call::CallPlans;
use crate::engine::{Answer, Program, Recorded, Run, error_names};
use crate::evaluate::ValueCache;
use crate::ports::{CallRecord, Claim, JobRow, LoadedJob, StoreError, Timestamp};
use crate::prepared::Prepared;

/// Number of events between the first two snapshots of a run that never waits; doubled each time.
const MIN_SNAPSHOT_EVENTS: u64 = 64;

/// Drives a job until it waits, ends, or is lost to another worker. `alone` is given back with the first commit.
pub(super) async fn drive_job(
    inner: &Arc<Inner>,
    claim: Claim,
    start: DriveStart,
    alone: Option<OwnedSemaphorePermit>,
) {
    let registered = inner.notifier.register_drive(&claim.job);
    let mailbox = registered.mailbox().clone();
    let outcome = go_on(inner, &claim, start, &mailbox, alone).await;
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

/// What a drive knows of its job.
pub(super) enum DriveStart {
    /// Nothing: it is read from the store.
    Load,
    /// All: the job was created by this process.
    Created(Box<CreatedJob>),
}

/// A job that this process has created and claimed.
pub(super) struct CreatedJob {
    pub(super) prepared: Arc<Prepared>,
    pub(super) row: JobRow,
    /// The first events, with their values.
    pub(super) events: Vec<Recorded>,
    /// Bytes of JSON of those values.
    pub(super) value_bytes: u64,
}

async fn go_on(
    inner: &Arc<Inner>,
    claim: &Claim,
    start: DriveStart,
    mailbox: &Mailbox,
    alone: Option<OwnedSemaphorePermit>,
) -> Result<(), StoreError> {
    let started = match start {
        DriveStart::Load => Drive::of_loaded(inner, claim, load(inner, claim, mailbox).await?),
        DriveStart::Created(created) => Ok(Drive::of_created(inner, claim, *created)),
    };
    let mut drive = match started {
        Ok(drive) => drive,
        Err(Unreadable { reason, last_seq, program }) => {
            let error = serde_json::json!({"name": error_names::INTERNAL_ERROR, "message": reason});
            return abandon::end_unreadable(inner, claim, program, last_seq, error).await;
        }
    };
    drive.alone = alone;
    drive.run_turns(mailbox).await
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
    plans: Arc<CallPlans>,
    /// Whether the job's end may free a slot for another job.
    shares_slots: bool,
    /// Calls of this drive that are in flight.
    out: BTreeMap<u64, AbortHandle>,
    tasks: JoinSet<()>,
    returns: (mpsc::UnboundedSender<Returned>, mpsc::UnboundedReceiver<Returned>),
    /// Facts for the next turn.
    facts: VecDeque<Taken>,
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
        let mut drive = Self::new(inner, claim, &prepared, run, loaded.job);
        drive.value_bytes = loaded.value_bytes;
        drive.snapshot_seq = loaded.snapshot.as_ref().map_or(0, |snapshot| snapshot.seq);
        drive.take_mail(loaded.inbox);
        drive.seek_interrupted();
        Ok(drive)
    }

    /// A drive of a job that this process has just created.
    fn of_created(inner: &'a Arc<Inner>, claim: &Claim, created: CreatedJob) -> Self {
        let CreatedJob { prepared, row, events, value_bytes } = created;
        let mut run = Run::new(prepared.program().clone());
        for recorded in &events {
            run.apply_event(recorded.seq, recorded.at, &recorded.event);
        }
        let _committed = run.take_rows();
        inner.prepared.add_job(&claim.job, prepared.clone());
        let mut drive = Self::new(inner, claim, &prepared, run, row);
        drive.value_bytes = value_bytes;
        drive.values.record_events(&events);
        drive.values.mark_committed();
        drive
    }

    fn new(inner: &'a Arc<Inner>, claim: &Claim, prepared: &Prepared, run: Run, committed: JobRow) -> Self {
        Self {
            inner,
            job: claim.job.clone(),
            version: claim.version,
            committed,
            value_bytes: 0,
            sought: open_work::attempts_in_recovery(&run),
            run: run.with_limits(inner.settings.run_limits()),
            values: ValueCache::new(Some(inner.parts.store.clone()), &claim.job),
            plans: prepared.plans().clone(),
            shares_slots: prepared.queue().shares_slots(),
            out: BTreeMap::new(),
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

    /// Turns until the job waits, ends, or is lost.
    async fn run_turns(&mut self, mailbox: &Mailbox) -> Result<(), StoreError> {
        loop {
            if mailbox.is_lost() {
                self.leave_job().await;
                return Err(StoreError::Fenced { job: self.job.clone() });
            }
            let stopping = self.inner.notifier.is_stopping();
            let over = if stopping { self.wind_down().await } else { self.run_turn().await };
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

//! The main loop of a worker: claims due jobs, renews leases, polls providers.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::due_times::{AT_ONCE, DueKind};
use super::inbox_payload::InboxPayload;
use super::intake::Intake;
use super::provider::{self, Caller, PollContext, PollSubject};
use super::{Inner, abandon, drive, erasure};
use crate::call::{CallPlans, ReportedCost, WorkReport};
use crate::ports::{Claim, DuePoll, StoreError, Timestamp};

/// Maximum number of concurrent polls.
const MAX_POLLS: u32 = 64;
/// Maximum number of concurrent erasures.
const MAX_ERASURES: u32 = 8;
/// How long an erasure that was taken is hidden from others; one that takes longer is performed twice, which has the
/// same effect.
const ERASURE_LEASE_TIMEOUT: Duration = Duration::from_mins(5);
/// How long a poll that was taken is hidden from others: longer than a poll can take.
const POLL_LEASE_TIMEOUT: Duration = Duration::from_mins(1);

/// Number of claims without a commit from which on a job is started alone: one of several such jobs may crash its
/// worker while the others only happened to run beside it.
const MIN_SUSPECT_TRIES: u32 = 3;

/// The work of a worker that is in flight.
struct InFlight {
    inner: Arc<Inner>,
    intake: Arc<Intake>,
    polls: JoinSet<()>,
    erasures: JoinSet<()>,
}

impl InFlight {
    /// Creates an empty set, and makes the worker accept new jobs of this process.
    fn new(inner: &Arc<Inner>) -> Self {
        let intake = Arc::new(Intake::new(inner.settings.concurrency));
        inner.set_intake(Some(intake.clone()));
        Self { inner: inner.clone(), intake, polls: JoinSet::new(), erasures: JoinSet::new() }
    }

    /// Returns how much more work of a kind may be started.
    fn free_places(&self, kind: DueKind) -> u32 {
        let left = |tasks: &JoinSet<()>, max: u32| max.saturating_sub(u32::try_from(tasks.len()).unwrap_or(u32::MAX));
        match kind {
            DueKind::Jobs => u32::try_from(self.intake.seats.available_permits()).unwrap_or(u32::MAX),
            DueKind::Polls => left(&self.polls, MAX_POLLS),
            DueKind::Erasures => left(&self.erasures, MAX_ERASURES),
        }
    }

    /// Returns whether a time of a kind has come and there is capacity for it; if so, the time is removed.
    fn take_due(&self, kind: DueKind, now: Timestamp) -> bool {
        self.free_places(kind) > 0 && self.inner.notifier.due.take_due(kind, now)
    }

    /// Returns the next time at which there is something to take.
    fn next_due(&self) -> Option<Timestamp> {
        let kinds = [DueKind::Jobs, DueKind::Polls, DueKind::Erasures].into_iter();
        kinds
            .filter(|kind| self.free_places(*kind) > 0)
            .filter_map(|kind| self.inner.notifier.due.first_moment(kind))
            .min()
    }

    /// Removes what has ended.
    fn reap_finished(&mut self) {
        for tasks in [&mut self.polls, &mut self.erasures] {
            while tasks.try_join_next().is_some() {}
        }
    }

    /// Accepts no new work, and waits for the rest.
    async fn wait_for_all(&mut self) {
        self.inner.set_intake(None);
        let mut drives = self.intake.close();
        for tasks in [&mut drives, &mut self.polls, &mut self.erasures] {
            while tasks.join_next().await.is_some() {}
        }
    }
}

impl Drop for InFlight {
    /// Ends the work with the worker: nothing must continue without one.
    fn drop(&mut self) {
        self.inner.set_intake(None);
        drop(self.intake.close());
    }
}

/// Works until `stop` completes, then lets the current turns end.
pub(super) async fn run_worker(inner: &Arc<Inner>, stop: impl Future<Output = ()> + Send) {
    tokio::pin!(stop);
    let mut in_flight = InFlight::new(inner);
    // Ends with this future, even if it is dropped: leases must not be renewed without a worker.
    let mut heartbeat = JoinSet::new();
    heartbeat.spawn(renew_periodically(inner.clone()));
    // The next time at which the store is asked for everything that is due, including what other processes made due.
    let mut next_look = Instant::now();
    loop {
        in_flight.reap_finished();
        let now = inner.parts.clock.now();
        if let Some(until) = inner.health.paused_until(now) {
            tokio::select! {
                () = &mut stop => break,
                () = inner.parts.clock.sleep_until(until) => {}
            }
            // Before anything is claimed: jobs of this process must not be due only because the store was unavailable.
            renew_leases(inner).await;
            next_look = Instant::now();
            continue;
        }
        let looks = next_look <= Instant::now();
        if looks {
            next_look = Instant::now() + inner.settings.idle;
        }
        let took = take_due(inner, &mut in_flight, looks).await;
        if let Err(error) = &took {
            inner.health.note_failure(error, now);
            if error.fault().is_none() {
                tracing::warn!(%error, "the worker could not claim jobs; it retries");
            }
        }
        if matches!(took, Ok(true)) {
            continue;
        }
        // What failed is tried again at the next check.
        let wake = if took.is_ok() { in_flight.next_due() } else { None }.unwrap_or(Timestamp(i64::MAX));
        tokio::select! {
            () = &mut stop => break,
            () = inner.notifier.wait_for_work(), if took.is_ok() => {}
            () = inner.parts.clock.sleep_until(wake), if wake.0 != i64::MAX => {}
            () = tokio::time::sleep_until(next_look) => {}
        }
    }
    inner.notifier.request_stop();
    if tokio::time::timeout(inner.settings.lease, in_flight.wait_for_all()).await.is_err() {
        tracing::warn!("calls that are still open are cut off; their outcome is determined at the next start");
    }
    heartbeat.shutdown().await;
}

/// Takes the work that is due, or that may be, since the last check was long ago; returns whether there was any.
async fn take_due(inner: &Arc<Inner>, in_flight: &mut InFlight, looks: bool) -> Result<bool, StoreError> {
    let now = inner.parts.clock.now();
    let mut asked = looks;
    let mut took = false;
    if looks || inner.uses_submit_slots() {
        inner.assign_submit_slots().await?;
    }
    if in_flight.take_due(DueKind::Jobs, now) || looks && in_flight.free_places(DueKind::Jobs) > 0 {
        asked = true;
        took |= take_jobs(inner, in_flight).await?;
    }
    if in_flight.take_due(DueKind::Polls, now) || looks && in_flight.free_places(DueKind::Polls) > 0 {
        asked = true;
        took |= take_polls(inner, in_flight).await?;
    }
    if in_flight.take_due(DueKind::Erasures, now) || looks && in_flight.free_places(DueKind::Erasures) > 0 {
        asked = true;
        took |= take_erasures(inner, in_flight).await?;
    }
    if asked && !took {
        note_next_due(inner, now).await?;
    }
    Ok(took)
}

async fn take_jobs(inner: &Arc<Inner>, in_flight: &mut InFlight) -> Result<bool, StoreError> {
    let free = in_flight.free_places(DueKind::Jobs);
    let claims = inner.parts.store.claim_due_jobs(&inner.settings.worker, free, inner.settings.lease).await?;
    if claims.len() >= free as usize {
        // There may be more.
        inner.notifier.due.add_moment(DueKind::Jobs, AT_ONCE);
    }
    let took = !claims.is_empty();
    let mut suspects = Vec::new();
    for claim in claims {
        // A new job may have taken the seat in the meantime: then one more than the maximum runs for a while.
        let seat = in_flight.intake.take_seat();
        if claim.tries >= MIN_SUSPECT_TRIES {
            suspects.push((claim, seat));
        } else {
            let drives = inner.clone();
            let drive = |(claim, seat)| async move {
                drives.drive_in_seat(drive::drive_job(&drives, claim, None), seat).await;
            };
            // The intake accepts drives as long as this worker claims jobs; without renewal, a lease expires.
            drop(in_flight.intake.spawn_drive((claim, seat), drive));
        }
    }
    if !suspects.is_empty() {
        let inner = inner.clone();
        drop(in_flight.intake.spawn_drive(suspects, |suspects| async move { one_by_one(&inner, suspects).await }));
    }
    Ok(took)
}

async fn take_polls(inner: &Arc<Inner>, in_flight: &mut InFlight) -> Result<bool, StoreError> {
    let free = in_flight.free_places(DueKind::Polls);
    let polls = inner.parts.store.take_due_polls(free, POLL_LEASE_TIMEOUT).await?;
    if polls.len() >= free as usize {
        inner.notifier.due.add_moment(DueKind::Polls, AT_ONCE);
    }
    let took = !polls.is_empty();
    for due in polls {
        let inner = inner.clone();
        in_flight.polls.spawn(async move {
            if let Err(error) = poll(&inner, &due).await {
                tracing::warn!(%error, job = due.job, "a poll could not be recorded; it is repeated later");
            }
            inner.notifier.notify_room(DueKind::Polls, inner.parts.clock.now());
        });
    }
    Ok(took)
}

async fn take_erasures(inner: &Arc<Inner>, in_flight: &mut InFlight) -> Result<bool, StoreError> {
    let free = in_flight.free_places(DueKind::Erasures);
    let erasures = inner.parts.store.take_due_erasures(free, ERASURE_LEASE_TIMEOUT).await?;
    if erasures.len() >= free as usize {
        inner.notifier.due.add_moment(DueKind::Erasures, AT_ONCE);
    }
    let took = !erasures.is_empty();
    for due in erasures {
        let inner = inner.clone();
        in_flight.erasures.spawn(async move {
            match erasure::erase_due(&inner, &due).await {
                // A job that was deleted in the meantime has no data to erase.
                Ok(()) | Err(StoreError::NotFound { .. }) => {}
                Err(error) => tracing::warn!(%error, job = due.job, "a job could not be erased; this is retried"),
            }
            inner.notifier.notify_room(DueKind::Erasures, inner.parts.clock.now());
        });
    }
    Ok(took)
}

/// Records when the store has something due next: its clock may be behind, and other processes write to it.
async fn note_next_due(inner: &Inner, now: Timestamp) -> Result<(), StoreError> {
    let Some(next) = inner.parts.store.read_next_due_at().await? else { return Ok(()) };
    if next <= now {
        // Nothing was taken: a waiting call of another process may have to get its slot.
        inner.note_submit_limits();
    }
    let next = next.max(now.plus_ms(1));
    for kind in [DueKind::Jobs, DueKind::Polls, DueKind::Erasures] {
        inner.notifier.due.add_moment(kind, next);
    }
    Ok(())
}

/// Drives jobs that were claimed repeatedly without a commit, one after the other: each starts after the previous one
/// has committed, so that a crash counts only against the job that was started alone, until that one is abandoned.
async fn one_by_one(inner: &Arc<Inner>, mut suspects: Vec<(Claim, Option<OwnedSemaphorePermit>)>) {
    suspects.sort_by(|(a, _), (b, _)| b.tries.cmp(&a.tries).then_with(|| a.job.cmp(&b.job)));
    // Their leases are renewed while they wait.
    let waiting: Vec<_> = suspects.iter().map(|(claim, _)| inner.notifier.register_drive(&claim.job)).collect();
    let mut drives = JoinSet::new();
    for (claim, seat) in suspects {
        let alone = inner.suspects.clone().acquire_owned().await.expect("the semaphore is never closed");
        // Only starts alone count against a job, because the others may only have run beside the one at fault.
        match inner.parts.store.record_solo_start(&claim.job, claim.version).await {
            Ok(begun) if begun > inner.settings.max_tries => abandon::abandon_job(inner, &claim, begun - 1).await,
            Ok(_) => {
                let inner = inner.clone();
                drives.spawn(async move {
                    inner.drive_in_seat(drive::drive_job(&inner, claim, Some(alone)), seat).await;
                });
            }
            Err(error) => tracing::warn!(%error, job = claim.job, "a job could not be started; its lease will expire"),
        }
    }
    drop(waiting);
    while drives.join_next().await.is_some() {}
}

async fn poll(inner: &Inner, due: &DuePoll) -> Result<(), StoreError> {
    let store = &inner.parts.store;
    let context: PollContext = serde_json::from_value(due.poll.ticket.clone())
        .map_err(|error| StoreError::Backend(format!("the poll of job `{}` cannot be read: {error}", due.job)))?;
    let effect = due.poll.effect;
    let mut caller = inner.caller_for_job(&due.job, inner.prepared.plans_of_job(&due.job, store.as_ref()).await?);
    let (polled, recovery) = match &context.subject {
        PollSubject::Operation(operation) => {
            (provider::poll(&mut caller, &context, operation, effect, due.tries).await, None)
        }
        PollSubject::Recovery(sought) => {
            (provider::recover_attempt(&mut caller, &context, sought, effect, due.tries).await?, Some(sought.search))
        }
    };
    match polled {
        provider::Polled::Later { due_at, progress, context: next } => {
            let progress = progress.map(|progress| (context.step, progress));
            let has_news = next.as_ref().is_some_and(|next| next.reported != context.reported);
            if has_news {
                caller.record_report(context.step, context.attempt).await;
            }
            if let Some(next) = next {
                let ticket = serde_json::to_value(*next).expect("a context is plain data");
                store.replace_poll_ticket(&due.job, effect, ticket).await?;
            }
            store.reschedule_poll(&due.job, effect, due_at, progress).await?;
            if progress.is_some() || has_news {
                inner.notifier.notify_change(&due.job, false);
            }
            inner.notifier.notify_due(DueKind::Polls, due_at);
            Ok(())
        }
        provider::Polled::Answered(answer) => {
            if context.reported.is_some() || !caller.report.is_empty() {
                caller.record_last_report(context.step, context.attempt).await;
            }
            let calls = std::mem::take(&mut caller.records);
            let key = answer.delivery_key(effect, recovery);
            let reported_cost = std::mem::take(&mut caller.reported_cost);
            let payload = InboxPayload::from_answer(effect, answer, calls).with_reported_cost(reported_cost);
            inner.record_answer(&due.job, &key, &payload, Some(effect)).await?;
            Ok(())
        }
    }
}

/// Periodically renews the leases of what this process drives, and notifies drives of messages and lost leases.
async fn renew_periodically(inner: Arc<Inner>) {
    let third = inner.settings.lease / 3;
    loop {
        tokio::time::sleep(third).await;
        renew_leases(&inner).await;
    }
}

async fn renew_leases(inner: &Inner) {
    let driven = inner.notifier.driven_jobs();
    if driven.is_empty() {
        return;
    }
    match inner.parts.store.renew_leases(&inner.settings.worker, &driven, inner.settings.lease).await {
        Ok(renewed) => {
            for job in &driven {
                match renewed.iter().find(|held| held.job == *job) {
                    Some(held) if held.has_messages => inner.notifier.notify_mail(job),
                    Some(_) => {}
                    None => inner.notifier.mark_lost(job),
                }
            }
        }
        Err(error) => tracing::warn!(%error, "leases could not be renewed"),
    }
}

impl Inner {
    /// Gives free slots of providers' limits to waiting calls, and wakes their jobs.
    pub(super) async fn assign_submit_slots(&self) -> Result<(), StoreError> {
        for job in self.parts.store.assign_submit_slots().await? {
            self.notifier.notify_mail(&job);
        }
        self.slots_given.notify_waiters();
        Ok(())
    }

    /// Returns whether free slots may have to be given by this process.
    pub(super) fn uses_submit_slots(&self) -> bool {
        self.uses_submit_slots.load(Ordering::Relaxed)
    }

    /// Notes that jobs of this process call providers with limits.
    pub(super) fn note_submit_limits(&self) {
        self.uses_submit_slots.store(true, Ordering::Relaxed);
    }

    /// Drives a job, then frees its seat.
    pub(super) async fn drive_in_seat(&self, drive: impl Future<Output = ()>, seat: Option<OwnedSemaphorePermit>) {
        drive.await;
        drop(seat);
        self.notifier.notify_room(DueKind::Jobs, self.parts.clock.now());
    }

    /// Creates the caller for a job's calls.
    pub(super) fn caller_for_job(&self, job: &str, plans: Arc<CallPlans>) -> Caller {
        Caller {
            job: job.to_owned(),
            store: self.parts.store.clone(),
            http: self.parts.http.clone(),
            artifacts: self.parts.artifacts.clone(),
            uploads: self.uploads.clone(),
            clock: self.parts.clock.clone(),
            plans,
            max_result_bytes: self.settings.max_result_bytes,
            listing_delay_ms: self.settings.grace_ms().saturating_mul(2),
            webhooks: self.settings.webhooks,
            records: Vec::new(),
            reported_cost: ReportedCost::default(),
            report: WorkReport::default(),
        }
    }
}

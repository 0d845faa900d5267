//! The loop of a worker: claims what is due, prolongs what is held, asks providers.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::inbox_payload::InboxPayload;
use super::provider::{self, Caller, PollContext, PollSubject};
use super::{Inner, abandon, drive, erasure};
use crate::call::CallPlans;
use crate::ports::{Claim, DuePoll, StoreError};

/// Polls under way at the same time.
const POLLS: u32 = 64;
/// Erasures under way at the same time.
const ERASURES: u32 = 8;
/// How long an erasure that was taken is hidden from others; one that takes longer is made twice, to the same effect.
const ERASURE_LEASE: Duration = Duration::from_mins(5);
/// How long a poll that was taken is hidden from others: longer than a poll can take.
const POLL_LEASE: Duration = Duration::from_mins(1);

/// From this claim without a commit on, a job is begun alone: one of several such may crash its worker, and the others
/// were only beside it.
const SUSPECT: u32 = 3;

/// What a worker has under way.
struct InFlight {
    seats: Arc<Semaphore>,
    drives: JoinSet<()>,
    polls: JoinSet<()>,
    erasures: JoinSet<()>,
}

impl InFlight {
    fn is_full(&self) -> bool {
        self.seats.available_permits() == 0 || room(&self.polls, POLLS) == 0 || room(&self.erasures, ERASURES) == 0
    }

    /// Forgets what has ended.
    fn reap(&mut self) {
        for tasks in [&mut self.drives, &mut self.polls, &mut self.erasures] {
            while tasks.try_join_next().is_some() {}
        }
    }

    async fn end(&mut self) {
        for tasks in [&mut self.drives, &mut self.polls, &mut self.erasures] {
            while tasks.join_next().await.is_some() {}
        }
    }
}

fn room(tasks: &JoinSet<()>, limit: u32) -> u32 {
    limit.saturating_sub(u32::try_from(tasks.len()).unwrap_or(u32::MAX))
}

/// Works until `stop` is done, then lets the turns under way end.
pub(super) async fn work(inner: &Arc<Inner>, stop: impl Future<Output = ()> + Send) {
    tokio::pin!(stop);
    let mut in_flight = InFlight {
        seats: Arc::new(Semaphore::new(inner.settings.concurrency as usize)),
        drives: JoinSet::new(),
        polls: JoinSet::new(),
        erasures: JoinSet::new(),
    };
    // Ends with this future, also where it is dropped: what nobody drives any more must not be held.
    let mut heartbeat = JoinSet::new();
    heartbeat.spawn(renew(inner.clone()));
    loop {
        in_flight.reap();
        if let Some(until) = inner.health.paused_until(inner.parts.clock.now()) {
            tokio::select! {
                () = &mut stop => break,
                () = inner.parts.clock.sleep_until(until) => {}
            }
            // Before anything is claimed: what this process still has must not be due because the store was away.
            renew_leases(inner).await;
            continue;
        }
        let took = take(inner, &mut in_flight).await;
        let pause = match took {
            Ok(true) => continue,
            // What is due cannot be taken now: the end of a drive, poll or erasure wakes this loop.
            Ok(false) if in_flight.is_full() => inner.settings.idle,
            Ok(false) => pause(inner).await,
            Err(error) => {
                inner.health.note_failure(&error, inner.parts.clock.now());
                if error.fault().is_none() {
                    tracing::warn!(%error, "the worker could not look for jobs; it tries again");
                }
                inner.settings.idle
            }
        };
        let waits = inner.parts.clock.now().plus_ms(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
        tokio::select! {
            () = &mut stop => break,
            () = inner.notifier.wait_for_work() => {}
            () = inner.parts.clock.sleep_until(waits) => {}
            () = tokio::time::sleep(inner.settings.idle) => {}
            Some(_) = in_flight.drives.join_next(), if in_flight.seats.available_permits() == 0 => {}
        }
    }
    inner.notifier.request_stop();
    if tokio::time::timeout(inner.settings.lease, in_flight.end()).await.is_err() {
        tracing::warn!("calls that are still open are cut off; what became of them is found out at the next start");
    }
    heartbeat.shutdown().await;
}

/// Takes what is due; says whether there was anything.
async fn take(inner: &Arc<Inner>, in_flight: &mut InFlight) -> Result<bool, StoreError> {
    let store = &inner.parts.store;
    let mut took = false;
    let free = u32::try_from(in_flight.seats.available_permits()).unwrap_or(u32::MAX);
    if free > 0 {
        let mut suspects = Vec::new();
        for claim in store.claim_due_jobs(&inner.settings.worker, free, inner.settings.lease).await? {
            took = true;
            let seat = in_flight.seats.clone().acquire_owned().await.expect("the semaphore is never closed");
            if claim.tries >= SUSPECT {
                suspects.push((claim, seat));
                continue;
            }
            let inner = inner.clone();
            in_flight.drives.spawn(async move {
                drive::drive(&inner, claim, None).await;
                drop(seat);
                inner.notifier.notify_work();
            });
        }
        if !suspects.is_empty() {
            let inner = inner.clone();
            in_flight.drives.spawn(async move { one_by_one(&inner, suspects).await });
        }
    }
    let free = room(&in_flight.polls, POLLS);
    if free > 0 {
        for due in store.take_due_polls(free, POLL_LEASE).await? {
            took = true;
            let inner = inner.clone();
            in_flight.polls.spawn(async move {
                if let Err(error) = poll(&inner, &due).await {
                    tracing::warn!(%error, job = due.job, "a poll could not be recorded; it is made again later");
                }
                inner.notifier.notify_work();
            });
        }
    }
    let free = room(&in_flight.erasures, ERASURES);
    if free > 0 {
        for due in store.take_due_erasures(free, ERASURE_LEASE).await? {
            took = true;
            let inner = inner.clone();
            in_flight.erasures.spawn(async move {
                match erasure::erase(&inner, &due).await {
                    // A job that was removed meanwhile left nothing to erase.
                    Ok(()) | Err(StoreError::NotFound { .. }) => {}
                    Err(error) => tracing::warn!(%error, job = due.job, "a job is not erased yet; it is tried again"),
                }
                inner.notifier.notify_work();
            });
        }
    }
    Ok(took)
}

/// Drives jobs that were claimed again and again, one after the other: each begins when the one before it has come to a
/// commit, so that a crash is counted against the one that was begun alone, until that is abandoned.
async fn one_by_one(inner: &Arc<Inner>, mut suspects: Vec<(Claim, OwnedSemaphorePermit)>) {
    suspects.sort_by(|(a, _), (b, _)| b.tries.cmp(&a.tries).then_with(|| a.job.cmp(&b.job)));
    // Their leases are renewed while they wait.
    let waiting: Vec<_> = suspects.iter().map(|(claim, _)| inner.notifier.register_drive(&claim.job)).collect();
    let mut drives = JoinSet::new();
    for (claim, seat) in suspects {
        let alone = inner.suspects.clone().acquire_owned().await.expect("the semaphore is never closed");
        // Only what was begun alone is counted against a job: the others were beside the one at fault.
        match inner.parts.store.record_solo_start(&claim.job, claim.version).await {
            Ok(begun) if begun > inner.settings.max_tries => abandon::abandon(inner, &claim, begun - 1).await,
            Ok(_) => {
                let inner = inner.clone();
                drives.spawn(async move {
                    drive::drive(&inner, claim, Some(alone)).await;
                    drop(seat);
                    inner.notifier.notify_work();
                });
            }
            Err(error) => tracing::warn!(%error, job = claim.job, "a job could not be begun; its lease will run out"),
        }
    }
    drop(waiting);
    while drives.join_next().await.is_some() {}
}

/// How long nothing will be due by itself.
async fn pause(inner: &Inner) -> Duration {
    let idle = inner.settings.idle;
    match inner.parts.store.read_next_due_at().await {
        Ok(Some(due)) => Duration::from_millis(due.since_ms(inner.parts.clock.now())).max(Duration::from_millis(1)),
        Ok(None) | Err(_) => idle,
    }
}

async fn poll(inner: &Inner, due: &DuePoll) -> Result<(), StoreError> {
    let store = &inner.parts.store;
    let context: PollContext = serde_json::from_value(due.poll.ticket.clone())
        .map_err(|error| StoreError::Backend(format!("the poll of job `{}` cannot be read: {error}", due.job)))?;
    let effect = due.poll.effect;
    let mut caller = inner.caller(&due.job, inner.plans.of(&due.job, store.as_ref()).await?);
    let (polled, recovery) = match &context.subject {
        PollSubject::Operation(operation) => {
            (provider::poll(&mut caller, &context, operation, effect, due.tries).await, None)
        }
        PollSubject::Recovery(sought) => {
            (provider::recover(&mut caller, &context, sought, effect, due.tries).await?, Some(sought.search))
        }
    };
    match polled {
        provider::Polled::Later { due_at, progress } => {
            let progress = progress.map(|progress| (context.step, progress));
            store.reschedule_poll(&due.job, effect, due_at, progress).await
        }
        provider::Polled::Answered(answer) => {
            let calls = std::mem::take(&mut caller.records);
            let key = answer.delivery_key(effect, recovery);
            let payload = InboxPayload::answered(effect, answer, calls);
            inner.record_answer(&due.job, &key, &payload, Some(effect)).await?;
            Ok(())
        }
    }
}

/// Prolongs the leases of what this process drives, and tells drives of mail and of lost leases.
async fn renew(inner: Arc<Inner>) {
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
    /// Sends calls of a job.
    pub(super) fn caller(&self, job: &str, plans: Arc<CallPlans>) -> Caller {
        Caller {
            job: job.to_owned(),
            store: self.parts.store.clone(),
            http: self.parts.http.clone(),
            clock: self.parts.clock.clone(),
            plans,
            max_result_bytes: self.settings.max_result_bytes,
            listing_delay_ms: self.settings.grace_ms().saturating_mul(2),
            records: Vec::new(),
        }
    }
}

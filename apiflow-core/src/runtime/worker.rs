//! The loop of a worker: claims what is due, prolongs what is held, asks providers.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::provider::{self, Caller, Ticket};
use super::{Inner, drive};
use crate::call::JobPlans;
use crate::engine::Fact;
use crate::ports::{DuePoll, StoreError};

/// Polls under way at the same time.
const POLLS: u32 = 64;
/// How long a poll that was taken is hidden from others: longer than a poll can take.
const POLL_LEASE: Duration = Duration::from_mins(1);

/// Works until `stop` is done, then lets the turns under way end.
pub(super) async fn work(inner: &Arc<Inner>, stop: impl Future<Output = ()> + Send) {
    tokio::pin!(stop);
    let mut drives = JoinSet::new();
    let mut polls = JoinSet::new();
    let seats = Arc::new(Semaphore::new(inner.settings.concurrency as usize));
    // Ends with this future, also where it is dropped: what nobody drives any more must not be held.
    let mut heartbeat = JoinSet::new();
    heartbeat.spawn(renew(inner.clone()));
    loop {
        while drives.try_join_next().is_some() {}
        while polls.try_join_next().is_some() {}
        let took = take(inner, &seats, &mut drives, &mut polls).await;
        let pause = match took {
            Ok(true) => continue,
            // What is due cannot be taken now: the end of a drive or poll wakes this loop.
            Ok(false) if seats.available_permits() == 0 || polls.len() >= POLLS as usize => inner.settings.idle,
            Ok(false) => pause(inner).await,
            Err(error) => {
                tracing::warn!(%error, "the worker could not look for jobs; it tries again");
                inner.settings.idle
            }
        };
        let waits = inner.parts.clock.now().plus_ms(u64::try_from(pause.as_millis()).unwrap_or(u64::MAX));
        tokio::select! {
            () = &mut stop => break,
            () = inner.hub.until_work() => {}
            () = inner.parts.clock.sleep_until(waits) => {}
            () = tokio::time::sleep(inner.settings.idle) => {}
            Some(_) = drives.join_next(), if seats.available_permits() == 0 => {}
        }
    }
    inner.hub.stop();
    let ended = async {
        while drives.join_next().await.is_some() {}
        while polls.join_next().await.is_some() {}
    };
    if tokio::time::timeout(inner.settings.lease, ended).await.is_err() {
        tracing::warn!("calls that are still open are cut off; what became of them is found out at the next start");
    }
    heartbeat.shutdown().await;
}

/// Takes what is due; says whether there was anything.
async fn take(
    inner: &Arc<Inner>,
    seats: &Arc<Semaphore>,
    drives: &mut JoinSet<()>,
    polls: &mut JoinSet<()>,
) -> Result<bool, StoreError> {
    let store = &inner.parts.store;
    let mut took = false;
    let free = u32::try_from(seats.available_permits()).unwrap_or(u32::MAX);
    if free > 0 {
        for claim in store.claim(&inner.settings.worker, free, inner.settings.lease).await? {
            took = true;
            let seat = seats.clone().acquire_owned().await.expect("the semaphore is never closed");
            let inner = inner.clone();
            drives.spawn(async move {
                drive::drive(&inner, claim).await;
                drop(seat);
                inner.hub.work();
            });
        }
    }
    let room = POLLS.saturating_sub(u32::try_from(polls.len()).unwrap_or(u32::MAX));
    if room > 0 {
        for due in store.take_polls(room, POLL_LEASE).await? {
            took = true;
            let inner = inner.clone();
            polls.spawn(async move {
                if let Err(error) = poll(&inner, &due).await {
                    tracing::warn!(%error, job = due.job, "a poll could not be recorded; it is made again later");
                }
                inner.hub.work();
            });
        }
    }
    Ok(took)
}

/// How long nothing will be due by itself.
async fn pause(inner: &Inner) -> Duration {
    let idle = inner.settings.idle;
    match inner.parts.store.next_due().await {
        Ok(Some(due)) => Duration::from_millis(due.since_ms(inner.parts.clock.now())).max(Duration::from_millis(1)),
        Ok(None) | Err(_) => idle,
    }
}

async fn poll(inner: &Inner, due: &DuePoll) -> Result<(), StoreError> {
    let store = &inner.parts.store;
    let ticket: Ticket = serde_json::from_value(due.poll.ticket.clone())
        .map_err(|error| StoreError::Backend(format!("the poll of job `{}` cannot be read: {error}", due.job)))?;
    let effect = due.poll.effect;
    let mut caller = inner.caller(&due.job, inner.plans.of(&due.job, store.as_ref()).await?);
    match provider::poll(&mut caller, &ticket, effect, due.tries).await {
        provider::Polled::Later { due_at, progress } => {
            let progress = progress.map(|progress| (ticket.step, progress));
            store.put_back(&due.job, effect, due_at, progress).await
        }
        provider::Polled::Answered(answer) => {
            let calls = std::mem::take(&mut caller.records);
            let fact = Fact::Answered { effect, answer, calls };
            inner.deliver(&due.job, &format!("answer-{effect}"), &fact, Some(effect)).await?;
            Ok(())
        }
    }
}

/// Prolongs the leases of what this process drives, and tells drives of mail and of lost leases.
async fn renew(inner: Arc<Inner>) {
    let third = inner.settings.lease / 3;
    loop {
        tokio::time::sleep(third).await;
        let driven = inner.hub.driven();
        if driven.is_empty() {
            continue;
        }
        match inner.parts.store.renew(&inner.settings.worker, &driven, inner.settings.lease).await {
            Ok(renewed) => {
                for job in &driven {
                    match renewed.iter().find(|held| held.job == *job) {
                        Some(held) if held.inbox => inner.hub.deliver(job),
                        Some(_) => {}
                        None => inner.hub.lose(job),
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "leases could not be renewed"),
        }
    }
}

impl Inner {
    /// Sends calls of a job.
    pub(super) fn caller(&self, job: &str, plans: Arc<JobPlans>) -> Caller {
        Caller {
            job: job.to_owned(),
            store: self.parts.store.clone(),
            http: self.parts.http.clone(),
            clock: self.parts.clock.clone(),
            plans,
            max_result_bytes: self.settings.max_result_bytes,
            records: Vec::new(),
        }
    }
}

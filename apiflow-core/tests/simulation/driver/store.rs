//! A store with troubles: it is slow, fails before it does what it is asked, fails to say that it has done it, or is full
//! for a while: then it takes nothing that needs room.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apiflow_core::ports::{
    CallRecord, Claim, Commit, Created, DueErasure, DuePoll, Erasure, EventRow, Following, InboxMessage, JobFilter,
    JobRow, Loaded, NewJob, Renewed, StepRow, Store, StoreError, StoreFault, Timestamp,
};
use apiflow_core::runtime::memory::MemoryStore;
use async_trait::async_trait;
use serde_json::Value;
use tokio::time::Instant;

use super::super::random::Random;
use super::Weather;

/// A store that is shared by all workers of a world.
pub(super) struct Troubled {
    inner: Arc<MemoryStore>,
    troubles: Mutex<Troubles>,
}

struct Troubles {
    random: Random,
    /// How many of a thousand requests are slow, fail before, fail after, find the store full.
    rates: [usize; 4],
    /// Troubles that are still to come, at most.
    left: usize,
    /// Until when there is no room.
    full_until: Option<Instant>,
}

impl Troubled {
    pub(super) fn new(inner: Arc<MemoryStore>, seed: u64, weather: Weather) -> Self {
        let mut random = Random::new(seed ^ 0x0057_04E5);
        let rates = match weather {
            Weather::Rough => [0; 4].map(|_| *random.pick(&[0, 0, 10, 60, 200])),
            Weather::FullStore => [0, 0, 0, *random.pick(&[60, 200, 600])],
        };
        let left = *random.pick(&[5, 20, 60]);
        Self { inner, troubles: Mutex::new(Troubles { random, rates, left, full_until: None }) }
    }

    /// No more troubles.
    pub(super) fn calm(&self) {
        let mut troubles = self.troubles();
        troubles.left = 0;
        troubles.full_until = None;
    }

    fn troubles(&self) -> std::sync::MutexGuard<'_, Troubles> {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn happens(&self, which: usize) -> bool {
        let mut troubles = self.troubles();
        let rate = troubles.rates[which];
        let happens = troubles.left > 0 && troubles.random.below(1000) < rate;
        troubles.left -= usize::from(happens);
        happens
    }

    /// Before the store does what it is asked.
    async fn before(&self) -> Result<(), StoreError> {
        if self.happens(0) {
            let ms = *self.troubles().random.pick(&[1, 40, 900, 4_000]);
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
        if !self.happens(1) {
            return Ok(());
        }
        let is_outage = self.troubles().random.percent(50);
        Err(if is_outage { unavailable(StoreFault::Busy) } else { StoreError::Backend("it refuses".to_owned()) })
    }

    /// Before the store does what needs room.
    async fn before_growing(&self) -> Result<(), StoreError> {
        self.before().await?;
        if self.happens(3) {
            let mut troubles = self.troubles();
            let ms = *troubles.random.pick(&[300, 5_000, 60_000, 200_000]);
            let until = Instant::now() + Duration::from_millis(ms);
            troubles.full_until = troubles.full_until.max(Some(until));
        }
        let is_full = self.troubles().full_until.is_some_and(|until| Instant::now() < until);
        if is_full { Err(unavailable(StoreFault::Full)) } else { Ok(()) }
    }

    /// After it has done it.
    fn after<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        if self.happens(2) { Err(unavailable(StoreFault::Unreachable)) } else { outcome }
    }
}

fn unavailable(fault: StoreFault) -> StoreError {
    StoreError::Unavailable { fault, cause: "a trouble of the simulation".to_owned() }
}

/// Whether a commit writes more than its job's row.
fn needs_room(commit: &Commit) -> bool {
    !(commit.events.is_empty() && commit.steps.is_empty() && commit.calls.is_empty() && commit.snapshot.is_none())
}

#[async_trait]
impl Store for Troubled {
    async fn create_job(&self, job: NewJob) -> Result<Created, StoreError> {
        self.inner.create_job(job).await
    }

    async fn claim(&self, worker: &str, limit: u32, lease: Duration) -> Result<Vec<Claim>, StoreError> {
        self.before().await?;
        self.after(self.inner.claim(worker, limit, lease).await)
    }

    async fn begin_alone(&self, job: &str, version: u64) -> Result<u32, StoreError> {
        self.before().await?;
        self.after(self.inner.begin_alone(job, version).await)
    }

    async fn end_alone(&self, job: &str, version: u64) -> Result<(), StoreError> {
        self.before().await?;
        self.after(self.inner.end_alone(job, version).await)
    }

    async fn claim_ended(&self, worker: &str, job: &str, lease: Duration) -> Result<Option<u64>, StoreError> {
        self.inner.claim_ended(worker, job, lease).await
    }

    async fn renew(&self, worker: &str, jobs: &[String], lease: Duration) -> Result<Vec<Renewed>, StoreError> {
        self.before().await?;
        self.after(self.inner.renew(worker, jobs, lease).await)
    }

    async fn load(&self, job: &str) -> Result<Loaded, StoreError> {
        self.before().await?;
        self.inner.load(job).await
    }

    async fn commit(&self, commit: Commit) -> Result<u64, StoreError> {
        if needs_room(&commit) {
            self.before_growing().await?
        } else {
            self.before().await?
        }
        self.after(self.inner.commit(commit).await)
    }

    async fn deliver(&self, job: &str, key: &str, payload: Value, poll_over: Option<u64>) -> Result<bool, StoreError> {
        self.before_growing().await?;
        self.after(self.inner.deliver(job, key, payload, poll_over).await)
    }

    async fn let_through(&self, job: &str) -> Result<(), StoreError> {
        self.before().await?;
        self.after(self.inner.let_through(job).await)
    }

    async fn inbox(&self, job: &str) -> Result<Vec<InboxMessage>, StoreError> {
        self.before().await?;
        self.inner.inbox(job).await
    }

    async fn job_of_key(&self, key: &str) -> Result<Option<(String, String)>, StoreError> {
        self.before().await?;
        self.inner.job_of_key(key).await
    }

    async fn follow(&self, following: Following) -> Result<bool, StoreError> {
        self.before_growing().await?;
        self.after(self.inner.follow(following).await)
    }

    async fn pause_submits(&self, limit: &str, pause: Duration) -> Result<(), StoreError> {
        self.before().await?;
        self.after(self.inner.pause_submits(limit, pause).await)
    }

    async fn submits_paused(&self, limit: &str) -> Result<Option<Duration>, StoreError> {
        self.before().await?;
        self.after(self.inner.submits_paused(limit).await)
    }

    async fn take_polls(&self, limit: u32, lease: Duration) -> Result<Vec<DuePoll>, StoreError> {
        self.before().await?;
        self.after(self.inner.take_polls(limit, lease).await)
    }

    async fn put_back(
        &self,
        job: &str,
        effect: u64,
        due_at: Timestamp,
        progress: Option<(u64, f64)>,
    ) -> Result<(), StoreError> {
        self.before().await?;
        self.after(self.inner.put_back(job, effect, due_at, progress).await)
    }

    async fn take_erasures(&self, limit: u32, lease: Duration) -> Result<Vec<DueErasure>, StoreError> {
        self.before().await?;
        self.after(self.inner.take_erasures(limit, lease).await)
    }

    async fn erase(&self, erasure: Erasure) -> Result<(), StoreError> {
        self.before().await?;
        self.after(self.inner.erase(erasure).await)
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.before().await?;
        self.inner.next_due().await
    }

    async fn values(&self, job: &str, seqs: &[u64]) -> Result<Vec<Option<Value>>, StoreError> {
        self.before().await?;
        self.inner.values(job, seqs).await
    }

    async fn cached(&self, key: &str) -> Result<Option<Value>, StoreError> {
        self.before().await?;
        self.inner.cached(key).await
    }

    async fn list(&self, job: &str, list: u64) -> Result<Vec<Value>, StoreError> {
        self.before().await?;
        self.inner.list(job, list).await
    }

    async fn job(&self, job: &str) -> Result<Option<JobRow>, StoreError> {
        self.before().await?;
        self.inner.job(job).await
    }

    async fn jobs(&self, filter: &JobFilter, before: Option<&str>, limit: u32) -> Result<Vec<JobRow>, StoreError> {
        self.before().await?;
        self.inner.jobs(filter, before, limit).await
    }

    async fn events(&self, job: &str, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.before().await?;
        self.inner.events(job, after, limit).await
    }

    async fn steps(&self, job: &str, after: u64, limit: u32) -> Result<Vec<StepRow>, StoreError> {
        self.before().await?;
        self.inner.steps(job, after, limit).await
    }

    async fn calls(&self, job: &str, step: u64) -> Result<Vec<CallRecord>, StoreError> {
        self.before().await?;
        self.inner.calls(job, step).await
    }

    async fn delete_job(&self, job: &str) -> Result<(), StoreError> {
        self.inner.delete_job(job).await
    }

    async fn bytes_in_flight(&self, user: &str) -> Result<u64, StoreError> {
        self.before().await?;
        self.inner.bytes_in_flight(user).await
    }

    async fn probe(&self) -> Result<(), StoreError> {
        self.before().await?;
        self.inner.probe().await
    }
}

//! A store with troubles: it is slow, fails before it does what it is asked, fails to say that it has done it, or is full
//! for a while: then it takes nothing that needs room.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use apiflow_core::ports::{
    AfterTry, AttemptCharge, Budget, BudgetDecision, BudgetState, CallRecord, Claim, Commit, Created, DeliveryTry,
    DueDeliveries, DueErasure, DuePoll, Erasure, EventRow, InboxMessage, JobFilter, JobJournal, JobQueue, JobRecords,
    JobRow, JobStart, JobStatus, JobWebhook, LoadedJob, NewJob, OpenReservation, ProviderWork, ProviderWorkClaim,
    ProxiedCall, ProxiedCallFilter, ProxiedCalls, RenewedLease, Reservation, Spending, StepLog, StepReport, StepRow,
    StoreError, StoreFault, StoredUpload, SubmitSlotRequest, SubmitSlots, Timestamp, UsageFilter, UsageRow,
    WebhookDeliveries, WebhookDelivery,
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
impl JobQueue for Troubled {
    async fn create_job(&self, job: NewJob, start: Option<JobStart>) -> Result<Created, StoreError> {
        self.inner.create_job(job, start).await
    }

    async fn find_job_by_key(&self, key: &str) -> Result<Option<(String, String)>, StoreError> {
        self.before().await?;
        self.inner.find_job_by_key(key).await
    }

    async fn claim_due_jobs(&self, worker: &str, limit: u32, lease: Duration) -> Result<Vec<Claim>, StoreError> {
        self.before().await?;
        self.after(self.inner.claim_due_jobs(worker, limit, lease).await)
    }

    async fn claim_ended_job(&self, worker: &str, job: &str, lease: Duration) -> Result<Option<u64>, StoreError> {
        self.inner.claim_ended_job(worker, job, lease).await
    }

    async fn renew_leases(
        &self,
        worker: &str,
        jobs: &[String],
        lease: Duration,
    ) -> Result<Vec<RenewedLease>, StoreError> {
        self.before().await?;
        self.after(self.inner.renew_leases(worker, jobs, lease).await)
    }

    async fn record_solo_start(&self, job: &str, version: u64) -> Result<u32, StoreError> {
        self.before().await?;
        self.after(self.inner.record_solo_start(job, version).await)
    }

    async fn undo_solo_start(&self, job: &str, version: u64) -> Result<(), StoreError> {
        self.before().await?;
        self.after(self.inner.undo_solo_start(job, version).await)
    }

    async fn waive_slot(&self, job: &str) -> Result<(), StoreError> {
        self.before().await?;
        self.after(self.inner.waive_slot(job).await)
    }

    async fn read_next_due_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.before().await?;
        self.inner.read_next_due_at().await
    }
}

#[async_trait]
impl JobJournal for Troubled {
    async fn load_job(&self, job: &str) -> Result<LoadedJob, StoreError> {
        self.before().await?;
        self.inner.load_job(job).await
    }

    async fn commit_turn(&self, commit: Commit) -> Result<u64, StoreError> {
        if needs_room(&commit) {
            self.before_growing().await?
        } else {
            self.before().await?
        }
        self.after(self.inner.commit_turn(commit).await)
    }

    async fn deliver_message(
        &self,
        job: &str,
        key: &str,
        payload: Value,
        finished_poll: Option<u64>,
    ) -> Result<bool, StoreError> {
        self.before_growing().await?;
        self.after(self.inner.deliver_message(job, key, payload, finished_poll).await)
    }

    async fn read_inbox(&self, job: &str) -> Result<Vec<InboxMessage>, StoreError> {
        self.before().await?;
        self.inner.read_inbox(job).await
    }

    async fn read_values(&self, job: &str, seqs: &[u64]) -> Result<Vec<Option<Value>>, StoreError> {
        self.before().await?;
        self.inner.read_values(job, seqs).await
    }

    async fn read_list(&self, job: &str, list: u64) -> Result<Vec<Value>, StoreError> {
        self.before().await?;
        self.inner.read_list(job, list).await
    }

    async fn read_cached_result(&self, key: &str) -> Result<Option<Value>, StoreError> {
        self.before().await?;
        self.inner.read_cached_result(key).await
    }

    async fn read_events(&self, job: &str, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        self.before().await?;
        self.inner.read_events(job, after, limit).await
    }

    async fn read_job(&self, job: &str) -> Result<Option<JobRow>, StoreError> {
        self.before().await?;
        self.inner.read_job(job).await
    }
}

#[async_trait]
impl ProviderWork for Troubled {
    async fn claim_provider_work(&self, following: ProviderWorkClaim) -> Result<bool, StoreError> {
        self.before_growing().await?;
        self.after(self.inner.claim_provider_work(following).await)
    }

    async fn pause_submits(&self, limit: &str, pause: Duration) -> Result<(), StoreError> {
        self.before().await?;
        self.after(self.inner.pause_submits(limit, pause).await)
    }

    async fn read_submit_pause(&self, limit: &str) -> Result<Option<Duration>, StoreError> {
        self.before().await?;
        self.after(self.inner.read_submit_pause(limit).await)
    }

    async fn find_upload(&self, key: &str) -> Result<Option<StoredUpload>, StoreError> {
        self.before().await?;
        self.after(self.inner.find_upload(key).await)
    }

    async fn record_upload(&self, upload: StoredUpload) -> Result<(), StoreError> {
        self.before_growing().await?;
        self.after(self.inner.record_upload(upload).await)
    }

    async fn take_due_polls(&self, limit: u32, lease: Duration) -> Result<Vec<DuePoll>, StoreError> {
        self.before().await?;
        self.after(self.inner.take_due_polls(limit, lease).await)
    }

    async fn reschedule_poll(
        &self,
        job: &str,
        effect: u64,
        due_at: Timestamp,
        progress: Option<(u64, f64)>,
    ) -> Result<(), StoreError> {
        self.before().await?;
        self.after(self.inner.reschedule_poll(job, effect, due_at, progress).await)
    }

    async fn record_step_report(&self, job: &str, report: StepReport) -> Result<(), StoreError> {
        self.before_growing().await?;
        self.after(self.inner.record_step_report(job, report).await)
    }

    async fn replace_poll_ticket(&self, job: &str, effect: u64, ticket: Value) -> Result<(), StoreError> {
        self.before().await?;
        self.after(self.inner.replace_poll_ticket(job, effect, ticket).await)
    }
}

#[async_trait]
impl JobRecords for Troubled {
    async fn list_jobs(&self, filter: &JobFilter, after: Option<&str>, limit: u32) -> Result<Vec<JobRow>, StoreError> {
        self.before().await?;
        self.inner.list_jobs(filter, after, limit).await
    }

    async fn count_active_jobs(&self) -> Result<BTreeMap<JobStatus, u64>, StoreError> {
        self.before().await?;
        self.inner.count_active_jobs().await
    }

    async fn read_step_log(&self, job: &str, step: u64) -> Result<Option<StepLog>, StoreError> {
        self.before().await?;
        self.inner.read_step_log(job, step).await
    }

    async fn list_steps_in_progress(&self, job: &str, limit: u32) -> Result<Vec<StepRow>, StoreError> {
        self.before().await?;
        self.inner.list_steps_in_progress(job, limit).await
    }

    async fn list_steps(&self, job: &str, after: u64, limit: u32) -> Result<Vec<StepRow>, StoreError> {
        self.before().await?;
        self.inner.list_steps(job, after, limit).await
    }

    async fn list_calls(&self, job: &str, step: u64) -> Result<Vec<CallRecord>, StoreError> {
        self.before().await?;
        self.inner.list_calls(job, step).await
    }

    async fn delete_job(&self, job: &str) -> Result<(), StoreError> {
        self.inner.delete_job(job).await
    }

    async fn take_due_erasures(&self, limit: u32, lease: Duration) -> Result<Vec<DueErasure>, StoreError> {
        self.before().await?;
        self.after(self.inner.take_due_erasures(limit, lease).await)
    }

    async fn erase_job_data(&self, erasure: Erasure) -> Result<(), StoreError> {
        self.before().await?;
        self.after(self.inner.erase_job_data(erasure).await)
    }

    async fn read_bytes_in_flight(&self, user: &str) -> Result<u64, StoreError> {
        self.before().await?;
        self.inner.read_bytes_in_flight(user).await
    }

    async fn verify_writable(&self) -> Result<(), StoreError> {
        self.before().await?;
        self.inner.verify_writable().await
    }
}

#[async_trait]
impl Spending for Troubled {
    async fn reserve_budget(&self, request: Reservation) -> Result<BudgetDecision, StoreError> {
        // Without budgets nothing is written.
        self.before().await?;
        self.after(self.inner.reserve_budget(request).await)
    }

    async fn list_reservations(&self, job: &str) -> Result<Vec<OpenReservation>, StoreError> {
        self.before().await?;
        self.inner.list_reservations(job).await
    }

    async fn read_usage(&self, filter: &UsageFilter) -> Result<Vec<UsageRow>, StoreError> {
        self.inner.read_usage(filter).await
    }

    async fn list_budgets(&self, now: Timestamp) -> Result<Vec<BudgetState>, StoreError> {
        self.inner.list_budgets(now).await
    }

    async fn put_budget(&self, budget: Budget) -> Result<(), StoreError> {
        self.inner.put_budget(budget).await
    }

    async fn delete_budget(&self, id: &str) -> Result<bool, StoreError> {
        self.inner.delete_budget(id).await
    }
}

#[async_trait]
impl WebhookDeliveries for Troubled {
    async fn read_job_webhook(&self, job: &str) -> Result<Option<JobWebhook>, StoreError> {
        self.inner.read_job_webhook(job).await
    }

    async fn list_deliveries(&self, job: &str, limit: u32) -> Result<Vec<WebhookDelivery>, StoreError> {
        self.inner.list_deliveries(job, limit).await
    }

    async fn take_due_deliveries(&self, wanted: DueDeliveries) -> Result<Vec<WebhookDelivery>, StoreError> {
        self.inner.take_due_deliveries(wanted).await
    }

    async fn record_delivery_try(
        &self,
        id: &str,
        tries: u32,
        outcome: DeliveryTry,
        next: AfterTry,
    ) -> Result<bool, StoreError> {
        self.inner.record_delivery_try(id, tries, outcome, next).await
    }

    async fn resend_delivery(&self, job: &str, id: &str) -> Result<bool, StoreError> {
        self.inner.resend_delivery(job, id).await
    }

    async fn count_pending_deliveries(&self) -> Result<u64, StoreError> {
        self.inner.count_pending_deliveries().await
    }
}

#[async_trait]
impl SubmitSlots for Troubled {
    async fn request_submit_slot(&self, request: SubmitSlotRequest) -> Result<bool, StoreError> {
        self.before_growing().await?;
        self.after(self.inner.request_submit_slot(request).await)
    }

    async fn holds_submit_slot(&self, call: &str) -> Result<bool, StoreError> {
        self.inner.holds_submit_slot(call).await
    }

    async fn assign_submit_slots(&self) -> Result<Vec<String>, StoreError> {
        self.before().await?;
        self.after(self.inner.assign_submit_slots().await)
    }
}

/// Jobs make no such calls.
#[async_trait]
impl ProxiedCalls for Troubled {
    async fn begin_proxied_call(
        &self,
        call: ProxiedCall,
        at_risk: Option<AttemptCharge>,
        lease: Duration,
    ) -> Result<(), StoreError> {
        self.inner.begin_proxied_call(call, at_risk, lease).await
    }

    async fn renew_proxied_call(&self, id: &str, lease: Duration) -> Result<(), StoreError> {
        self.inner.renew_proxied_call(id, lease).await
    }

    async fn end_proxied_call(&self, call: ProxiedCall, charge: Option<AttemptCharge>) -> Result<(), StoreError> {
        self.inner.end_proxied_call(call, charge).await
    }

    async fn end_lost_proxied_calls(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.inner.end_lost_proxied_calls(now).await
    }

    async fn list_proxied_calls(
        &self,
        filter: &ProxiedCallFilter,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ProxiedCall>, StoreError> {
        self.inner.list_proxied_calls(filter, before, limit).await
    }

    async fn delete_old_proxied_calls(
        &self,
        started_before: Option<Timestamp>,
        max_calls: Option<u64>,
        limit: u32,
    ) -> Result<u64, StoreError> {
        self.inner.delete_old_proxied_calls(started_before, max_calls, limit).await
    }
}

//! A store in memory: for tests, for embedding without durability, and as the simplest implementation of the rules.

mod cache;
mod job;
mod proxied_calls;
mod slots;
mod spending;
mod state;
mod submit_slots;
mod webhook_deliveries;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use self::state::StoreState;
use crate::ports::{
    AfterTry, AttemptCharge, Budget, BudgetDecision, BudgetState, CallRecord, Claim, Clock, Commit, Created,
    DeliveryTry, DueDeliveries, DueErasure, DuePoll, Erasure, EventRow, InboxMessage, JobFilter, JobJournal, JobQueue,
    JobRecords, JobRow, JobStart, JobStatus, JobWebhook, LoadedJob, NewJob, OpenReservation, ProviderWork,
    ProviderWorkClaim, ProxiedCall, ProxiedCallFilter, ProxiedCalls, RenewedLease, Reservation, Spending, StepLog,
    StepReport, StepRow, StoreError, StoredUpload, SubmitSlotRequest, SubmitSlots, Timestamp, UsageFilter, UsageRow,
    WebhookDeliveries, WebhookDelivery,
};

/// Stores jobs in memory; everything is lost with the process.
///
/// The given clock is the store's own: it determines when leases, wake-ups and polls are due.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    state: Mutex<StoreState>,
    reads: AtomicU64,
}

impl MemoryStore {
    /// Creates an empty store.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, state: Mutex::new(StoreState::default()), reads: AtomicU64::new(0) }
    }

    /// Returns the number of bytes of JSON that have been written: events with their values, steps, calls, snapshots,
    /// polls and cached results.
    pub fn bytes_written(&self) -> u64 {
        self.lock_state().bytes_written()
    }

    /// Returns how often values have been read: with a database, each read is a round trip.
    pub fn value_reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Locks the state. It is valid even after a panic, because nothing is changed before everything has been checked.
    fn lock_state(&self) -> MutexGuard<'_, StoreState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_plus(&self, lease: Duration) -> Timestamp {
        self.clock.now().plus_ms(u64::try_from(lease.as_millis()).unwrap_or(u64::MAX))
    }
}

#[async_trait]
impl JobQueue for MemoryStore {
    async fn create_job(&self, job: NewJob, start: Option<JobStart>) -> Result<Created, StoreError> {
        let start = start.map(|start| (self.now_plus(start.lease), start));
        self.lock_state().create(job, start, self.clock.now())
    }

    async fn find_job_by_key(&self, key: &str) -> Result<Option<(String, String)>, StoreError> {
        Ok(self.lock_state().job_of_key(key, self.clock.now()))
    }

    async fn claim_due_jobs(&self, worker: &str, limit: u32, lease: Duration) -> Result<Vec<Claim>, StoreError> {
        Ok(self.lock_state().claim(worker, limit, self.clock.now(), self.now_plus(lease)))
    }

    async fn claim_ended_job(&self, worker: &str, job: &str, lease: Duration) -> Result<Option<u64>, StoreError> {
        self.lock_state().claim_ended(worker, job, self.now_plus(lease))
    }

    async fn renew_leases(
        &self,
        worker: &str,
        jobs: &[String],
        lease: Duration,
    ) -> Result<Vec<RenewedLease>, StoreError> {
        Ok(self.lock_state().renew_leases(worker, jobs, self.now_plus(lease)))
    }

    async fn record_solo_start(&self, job: &str, version: u64) -> Result<u32, StoreError> {
        self.lock_state().record_solo_start(job, version)
    }

    async fn undo_solo_start(&self, job: &str, version: u64) -> Result<(), StoreError> {
        self.lock_state().undo_solo_start(job, version)
    }

    async fn waive_slot(&self, job: &str) -> Result<(), StoreError> {
        self.lock_state().waive_slot(job, self.clock.now());
        Ok(())
    }

    async fn read_next_due_at(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.lock_state().next_due())
    }
}

#[async_trait]
impl JobJournal for MemoryStore {
    async fn load_job(&self, job: &str) -> Result<LoadedJob, StoreError> {
        Ok(self.lock_state().require_job(job)?.load())
    }

    async fn commit_turn(&self, commit: Commit) -> Result<u64, StoreError> {
        self.lock_state().commit(commit, self.clock.now())
    }

    async fn deliver_message(
        &self,
        job: &str,
        key: &str,
        payload: Value,
        finished_poll: Option<u64>,
    ) -> Result<bool, StoreError> {
        self.lock_state().deliver_message(job, key, payload, finished_poll, self.clock.now())
    }

    async fn read_inbox(&self, job: &str) -> Result<Vec<InboxMessage>, StoreError> {
        Ok(self.lock_state().find_job(job).map_or_else(Vec::new, job::Job::read_inbox))
    }

    async fn read_values(&self, job: &str, seqs: &[u64]) -> Result<Vec<Option<Value>>, StoreError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        Ok(self.lock_state().find_job(job).map_or_else(|| vec![None; seqs.len()], |found| found.read_values(seqs)))
    }

    async fn read_list(&self, job: &str, list: u64) -> Result<Vec<Value>, StoreError> {
        Ok(self.lock_state().find_job(job).map_or_else(Vec::new, |found| found.list(list)))
    }

    async fn read_cached_result(&self, key: &str) -> Result<Option<Value>, StoreError> {
        Ok(self.lock_state().read_cached_result(key, self.clock.now()))
    }

    async fn read_events(&self, job: &str, after: u64, limit: u32) -> Result<Vec<EventRow>, StoreError> {
        Ok(self.lock_state().find_job(job).map_or_else(Vec::new, |found| found.list_events(after, limit)))
    }

    async fn read_job(&self, job: &str) -> Result<Option<JobRow>, StoreError> {
        Ok(self.lock_state().find_job(job).map(|found| found.row.clone()))
    }
}

#[async_trait]
impl ProviderWork for MemoryStore {
    async fn claim_provider_work(&self, following: ProviderWorkClaim) -> Result<bool, StoreError> {
        self.lock_state().claim_provider_work(following)
    }

    async fn pause_submits(&self, limit: &str, pause: Duration) -> Result<(), StoreError> {
        self.lock_state().pause_submits(limit, self.clock.now(), self.now_plus(pause));
        Ok(())
    }

    async fn read_submit_pause(&self, limit: &str) -> Result<Option<Duration>, StoreError> {
        Ok(self.lock_state().submits_paused(limit, self.clock.now()))
    }

    async fn find_upload(&self, key: &str) -> Result<Option<StoredUpload>, StoreError> {
        Ok(self.lock_state().find_upload(key, self.clock.now()))
    }

    async fn record_upload(&self, upload: StoredUpload) -> Result<(), StoreError> {
        self.lock_state().record_upload(upload, self.clock.now());
        Ok(())
    }

    async fn take_due_polls(&self, limit: u32, lease: Duration) -> Result<Vec<DuePoll>, StoreError> {
        Ok(self.lock_state().take_polls(limit, self.clock.now(), self.now_plus(lease)))
    }

    async fn reschedule_poll(
        &self,
        job: &str,
        effect: u64,
        due_at: Timestamp,
        progress: Option<(u64, f64)>,
    ) -> Result<(), StoreError> {
        self.lock_state().put_back(job, effect, due_at, progress);
        Ok(())
    }

    async fn record_step_report(&self, job: &str, report: StepReport) -> Result<(), StoreError> {
        self.lock_state().record_report(job, report);
        Ok(())
    }

    async fn replace_poll_ticket(&self, job: &str, effect: u64, ticket: Value) -> Result<(), StoreError> {
        self.lock_state().replace_ticket(job, effect, ticket);
        Ok(())
    }
}

#[async_trait]
impl Spending for MemoryStore {
    async fn reserve_budget(&self, request: Reservation) -> Result<BudgetDecision, StoreError> {
        Ok(self.lock_state().reserve_budget(request))
    }

    async fn list_reservations(&self, job: &str) -> Result<Vec<OpenReservation>, StoreError> {
        Ok(self.lock_state().list_reservations(job))
    }

    async fn read_usage(&self, filter: &UsageFilter) -> Result<Vec<UsageRow>, StoreError> {
        Ok(self.lock_state().read_usage(filter))
    }

    async fn list_budgets(&self, now: Timestamp) -> Result<Vec<BudgetState>, StoreError> {
        Ok(self.lock_state().list_budgets(now))
    }

    async fn put_budget(&self, budget: Budget) -> Result<(), StoreError> {
        self.lock_state().put_budget(budget);
        Ok(())
    }

    async fn delete_budget(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.lock_state().delete_budget(id))
    }
}

#[async_trait]
impl SubmitSlots for MemoryStore {
    async fn request_submit_slot(&self, request: SubmitSlotRequest) -> Result<bool, StoreError> {
        Ok(self.lock_state().request_submit_slot(request, self.clock.now()))
    }

    async fn holds_submit_slot(&self, call: &str) -> Result<bool, StoreError> {
        Ok(self.lock_state().holds_submit_slot(call))
    }

    async fn assign_submit_slots(&self) -> Result<Vec<String>, StoreError> {
        self.lock_state().assign_submit_slots(self.clock.now())
    }
}

#[async_trait]
impl WebhookDeliveries for MemoryStore {
    async fn read_job_webhook(&self, job: &str) -> Result<Option<JobWebhook>, StoreError> {
        Ok(self.lock_state().webhooks.find_webhook(job))
    }

    async fn list_deliveries(&self, job: &str, limit: u32) -> Result<Vec<WebhookDelivery>, StoreError> {
        Ok(self.lock_state().webhooks.list_deliveries(job, limit))
    }

    async fn take_due_deliveries(&self, wanted: DueDeliveries) -> Result<Vec<WebhookDelivery>, StoreError> {
        let until = self.now_plus(wanted.lease);
        Ok(self.lock_state().webhooks.take_due(&wanted, self.clock.now(), until))
    }

    async fn record_delivery_try(
        &self,
        id: &str,
        tries: u32,
        outcome: DeliveryTry,
        next: AfterTry,
    ) -> Result<bool, StoreError> {
        Ok(self.lock_state().webhooks.record_try(id, tries, outcome, (next, self.clock.now())))
    }

    async fn resend_delivery(&self, job: &str, id: &str) -> Result<bool, StoreError> {
        Ok(self.lock_state().webhooks.resend(job, id, self.clock.now()))
    }

    async fn count_pending_deliveries(&self) -> Result<u64, StoreError> {
        Ok(self.lock_state().webhooks.count_pending())
    }
}

#[async_trait]
impl ProxiedCalls for MemoryStore {
    async fn begin_proxied_call(
        &self,
        call: ProxiedCall,
        at_risk: Option<AttemptCharge>,
        lease: Duration,
    ) -> Result<(), StoreError> {
        self.lock_state().begin_proxied_call(call, at_risk, self.now_plus(lease));
        Ok(())
    }

    async fn renew_proxied_call(&self, id: &str, lease: Duration) -> Result<(), StoreError> {
        self.lock_state().renew_proxied_call(id, self.now_plus(lease));
        Ok(())
    }

    async fn end_proxied_call(&self, call: ProxiedCall, charge: Option<AttemptCharge>) -> Result<(), StoreError> {
        self.lock_state().end_proxied_call(call, charge, self.clock.now());
        Ok(())
    }

    async fn end_lost_proxied_calls(&self, now: Timestamp) -> Result<u64, StoreError> {
        Ok(self.lock_state().end_lost_proxied_calls(now, self.clock.now()))
    }

    async fn list_proxied_calls(
        &self,
        filter: &ProxiedCallFilter,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ProxiedCall>, StoreError> {
        Ok(self.lock_state().proxied_calls.list_calls(filter, before, limit))
    }

    async fn delete_old_proxied_calls(
        &self,
        started_before: Option<Timestamp>,
        max_calls: Option<u64>,
        limit: u32,
    ) -> Result<u64, StoreError> {
        Ok(self.lock_state().proxied_calls.delete_old(started_before, max_calls, limit))
    }
}

#[async_trait]
impl JobRecords for MemoryStore {
    async fn list_jobs(&self, filter: &JobFilter, after: Option<&str>, limit: u32) -> Result<Vec<JobRow>, StoreError> {
        Ok(self.lock_state().list_jobs(filter, after, limit))
    }

    async fn count_active_jobs(&self) -> Result<BTreeMap<JobStatus, u64>, StoreError> {
        Ok(self.lock_state().count_active_jobs())
    }

    async fn read_step_log(&self, job: &str, step: u64) -> Result<Option<StepLog>, StoreError> {
        Ok(self.lock_state().find_job(job).and_then(|found| found.read_log(step)))
    }

    async fn list_steps_in_progress(&self, job: &str, limit: u32) -> Result<Vec<StepRow>, StoreError> {
        Ok(self.lock_state().find_job(job).map_or_else(Vec::new, |found| found.list_steps_in_progress(limit)))
    }

    async fn list_steps(&self, job: &str, after: u64, limit: u32) -> Result<Vec<StepRow>, StoreError> {
        Ok(self.lock_state().find_job(job).map_or_else(Vec::new, |found| found.list_steps(after, limit)))
    }

    async fn list_calls(&self, job: &str, step: u64) -> Result<Vec<CallRecord>, StoreError> {
        Ok(self
            .lock_state()
            .find_job(job)
            .map_or_else(Vec::new, |found| CallRecord::join_records(found.list_calls(step))))
    }

    async fn delete_job(&self, job: &str) -> Result<(), StoreError> {
        self.lock_state().delete(job)
    }

    async fn take_due_erasures(&self, limit: u32, lease: Duration) -> Result<Vec<DueErasure>, StoreError> {
        Ok(self.lock_state().take_erasures(limit, self.clock.now(), self.now_plus(lease)))
    }

    async fn erase_job_data(&self, erasure: Erasure) -> Result<(), StoreError> {
        self.lock_state().erase_job(erasure)
    }

    async fn read_bytes_in_flight(&self, user: &str) -> Result<u64, StoreError> {
        Ok(self.lock_state().bytes_in_flight(user))
    }

    async fn verify_writable(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use serde_json::json;

    use super::*;
    use crate::ports::{JobBundle, LeaseChange, Poll, SnapshotRow, Store};
    use crate::runtime::conformance;

    struct SystemTimeClock;

    #[async_trait]
    impl Clock for SystemTimeClock {
        fn now(&self) -> Timestamp {
            let since = SystemTime::UNIX_EPOCH.elapsed().expect("the year is later than 1970");
            Timestamp(since.as_millis() as i64)
        }

        async fn sleep_until(&self, moment: Timestamp) {
            tokio::time::sleep(Duration::from_millis(moment.since_ms(self.now()))).await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn memory_keeps_every_rule_of_the_store() {
        conformance::run(async || Arc::new(MemoryStore::new(Arc::new(SystemTimeClock))) as Arc<dyn Store>).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn workers_share_the_jobs_in_memory() {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Arc::new(SystemTimeClock)));
        conformance::run_shared([store.clone(), store]).await;
    }

    #[tokio::test]
    async fn bytes_written_are_the_json_of_what_is_kept() {
        let store = MemoryStore::new(Arc::new(SystemTimeClock));
        let event = EventRow { seq: 1, at: Timestamp(2), body: json!({}), value: Some(json!("üx")), item: None };
        let job = NewJob {
            id: "a".to_owned(),
            name: "a name is not counted".to_owned(),
            workflow_id: None,
            workflow_version: None,
            node_id: None,
            rerun_of: None,
            created_by: None,
            created_at: Timestamp(0),
            bundle: JobBundle::default().into(),
            priority: 0,
            concurrency: None,
            events: vec![event],
            idempotency: None,
            max_bytes_in_flight: None,
            webhook: None,
        };
        store.create_job(job, None).await.expect("a new job is made");
        let events = r#"[{"seq":1,"at":2,"body":{},"value":"üx","item":null}]"#;
        assert_eq!(store.bytes_written(), events.len() as u64);
        let claim = store.claim_due_jobs("worker", 1, Duration::ZERO).await.expect("a claim works").remove(0);
        let state = store.read_job("a").await.expect("a row is read").expect("the job is there").state;
        let turn = Commit {
            polls: vec![Poll { effect: 7, due_at: Timestamp(9), ticket: json!([1]) }],
            snapshot: Some(SnapshotRow { seq: 1, state: json!({"n": 1}) }),
            ..Commit::new("a", claim.version, Timestamp(3), state, LeaseChange::Keep)
        };
        store.commit_turn(turn).await.expect("the owner commits");
        let turn = r#"[{"effect":7,"due_at":9,"ticket":[1]}]{"n":1}"#;
        assert_eq!(store.bytes_written(), (events.len() + turn.len()) as u64);
    }
}

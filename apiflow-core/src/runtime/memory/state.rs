//! The state of the memory store: all jobs, keys, due times and message numbers.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Bound;
use std::time::Duration;

use serde_json::Value;

use super::cache::Cache;
use super::job::{Job, rows_len};
use super::proxied_calls::ProxiedCallTable;
use super::slots::SlotTable;
use super::spending::{ChargedSubjects, SpendingTable};
use super::submit_slots::SubmitSlotTable;
use super::webhook_deliveries::WebhookTable;
use crate::ports::{
    Claim, Commit, Created, DueErasure, DuePoll, Erasure, Idempotency, JobFilter, JobOrder, JobRow, JobStart,
    JobStatus, NewJob, ProviderWorkClaim, RenewedLease, StepReport, StoreError, StoredUpload, Timestamp,
};

/// The contents of the store.
#[derive(Default)]
pub(super) struct StoreState {
    jobs: BTreeMap<String, Job>,
    keys: BTreeMap<String, UsedKey>,
    cache: Cache,
    slots: SlotTable,
    pub(super) spending: SpendingTable,
    pub(super) submit_slots: SubmitSlotTable,
    pub(super) proxied_calls: ProxiedCallTable,
    pub(super) webhooks: WebhookTable,
    /// Job and attempt that a provider's work belongs to, by provider and id.
    followers: BTreeMap<(String, String), (String, u64)>,
    /// Until when submits are paused, by rate limit.
    pauses: BTreeMap<String, Timestamp>,
    /// Files that were uploaded to providers, by key.
    uploads: BTreeMap<String, StoredUpload>,
    messages: i64,
    bytes_written: u64,
}

/// An idempotency key that is in use.
struct UsedKey {
    job: String,
    fingerprint: String,
    expires_at: Timestamp,
}

impl StoreState {
    pub(super) fn bytes_written(&self) -> u64 {
        self.bytes_written
    }

    pub(super) fn pause_submits(&mut self, limit: &str, now: Timestamp, until: Timestamp) {
        self.pauses.retain(|_, until| *until > now);
        let known = self.pauses.entry(limit.to_owned()).or_insert(until);
        *known = until.max(*known);
    }

    pub(super) fn submits_paused(&self, limit: &str, now: Timestamp) -> Option<Duration> {
        let until = self.pauses.get(limit).filter(|until| **until > now)?;
        Some(Duration::from_millis(until.since_ms(now)))
    }

    pub(super) fn find_upload(&self, key: &str, now: Timestamp) -> Option<StoredUpload> {
        self.uploads.get(key).filter(|upload| upload.expires_at > now).cloned()
    }

    pub(super) fn record_upload(&mut self, upload: StoredUpload, now: Timestamp) {
        self.uploads.retain(|_, upload| upload.expires_at > now);
        self.uploads.insert(upload.key.clone(), upload);
    }

    pub(super) fn find_job(&self, id: &str) -> Option<&Job> {
        self.jobs.get(id)
    }

    pub(super) fn require_job(&self, id: &str) -> Result<&Job, StoreError> {
        self.jobs.get(id).ok_or_else(|| StoreError::NotFound { job: id.to_owned() })
    }

    fn job_mut(&mut self, id: &str) -> Result<&mut Job, StoreError> {
        self.jobs.get_mut(id).ok_or_else(|| StoreError::NotFound { job: id.to_owned() })
    }

    /// Creates a job; with `start` (and the end of the lease) it is claimed if it is due immediately, and its first
    /// turn is committed.
    pub(super) fn create(
        &mut self,
        new: NewJob,
        start: Option<(Timestamp, JobStart)>,
        now: Timestamp,
    ) -> Result<Created, StoreError> {
        if let Some((job, fingerprint)) = new.idempotency.as_ref().and_then(|asked| self.job_of_key(&asked.key, now)) {
            return Ok(Created::Existing { job, fingerprint });
        }
        if let (Some(user), Some(max)) = (&new.created_by, new.max_bytes_in_flight) {
            let used = self.bytes_in_flight(user);
            if used >= max {
                return Ok(Created::OverLimit { used });
            }
        }
        let Entry::Vacant(place) = self.jobs.entry(new.id.clone()) else {
            return Err(StoreError::Backend(format!("job `{}` already exists", new.id)));
        };
        if let Some(Idempotency { key, fingerprint, expires_at }) = new.idempotency.clone() {
            self.keys.insert(key, UsedKey { job: new.id.clone(), fingerprint, expires_at });
        }
        if let Some(concurrency) = new.concurrency.clone() {
            self.slots.add_waiting(&new.id, concurrency, new.priority, new.created_at, now);
        }
        let id = new.id.clone();
        self.webhooks.add_webhook(&id, new.webhook.clone());
        let (job, bytes) = Job::new(new, now);
        place.insert(job);
        self.bytes_written += bytes;
        let Some((until, JobStart { worker, turn, .. })) = start else { return Ok(Created::New { claim: None }) };
        let mut claim = self.claim_new(&id, &worker, now, until);
        if let (Some(claim), Some(turn)) = (&mut claim, turn) {
            claim.version = self.commit(Commit { version: claim.version, ..*turn }, now)?;
        }
        Ok(Created::New { claim })
    }

    pub(super) fn job_of_key(&self, key: &str, now: Timestamp) -> Option<(String, String)> {
        let used = self.keys.get(key).filter(|used| used.expires_at > now)?;
        Some((used.job.clone(), used.fingerprint.clone()))
    }

    /// Claims a job that was just created, unless it waits for its slot.
    fn claim_new(&mut self, id: &str, worker: &str, now: Timestamp, until: Timestamp) -> Option<Claim> {
        self.give_slots(now);
        let job = self.jobs.get_mut(id).filter(|job| job.due_at.is_some())?;
        let (version, tries) = job.claim(worker, until);
        self.slots.note_claim(id, now);
        Some(Claim { job: id.to_owned(), version, tries })
    }

    fn give_slots(&mut self, now: Timestamp) {
        for id in self.slots.assign_free_slots(now) {
            if let Some(job) = self.jobs.get_mut(&id) {
                job.make_due(now);
            }
        }
    }

    pub(super) fn claim(&mut self, worker: &str, limit: u32, now: Timestamp, until: Timestamp) -> Vec<Claim> {
        self.give_slots(now);
        let mut due: Vec<(Reverse<i32>, Timestamp, String)> = self
            .jobs
            .iter()
            .filter_map(|(id, job)| {
                let at = job.due_at.filter(|at| *at <= now)?;
                Some((Reverse(job.row.state.priority), at, id.clone()))
            })
            .collect();
        due.sort();
        due.truncate(limit as usize);
        due.into_iter()
            .filter_map(|(_, _, id)| {
                let (version, tries) = self.jobs.get_mut(&id)?.claim(worker, until);
                self.slots.note_claim(&id, now);
                Some(Claim { job: id, version, tries })
            })
            .collect()
    }

    pub(super) fn record_solo_start(&mut self, id: &str, version: u64) -> Result<u32, StoreError> {
        self.job_mut(id)?.record_solo_start(version)
    }

    pub(super) fn undo_solo_start(&mut self, id: &str, version: u64) -> Result<(), StoreError> {
        self.job_mut(id)?.undo_solo_start(version);
        Ok(())
    }

    pub(super) fn claim_ended(&mut self, worker: &str, id: &str, until: Timestamp) -> Result<Option<u64>, StoreError> {
        let version = self.job_mut(id)?.claim_ended(worker, until);
        if version.is_some() {
            self.slots.note_reopened(id);
        }
        Ok(version)
    }

    pub(super) fn renew_leases(&mut self, worker: &str, jobs: &[String], until: Timestamp) -> Vec<RenewedLease> {
        jobs.iter()
            .filter_map(|id| {
                let has_messages = self.jobs.get_mut(id)?.renew_lease(worker, until)?;
                Some(RenewedLease { job: id.clone(), has_messages })
            })
            .collect()
    }

    pub(super) fn commit(&mut self, commit: Commit, now: Timestamp) -> Result<u64, StoreError> {
        let mut commit = commit;
        let cached = std::mem::take(&mut commit.cached);
        let (charges, ended) = (std::mem::take(&mut commit.charges), std::mem::take(&mut commit.ended_attempts));
        let (id, at, ends) = (commit.job.clone(), commit.at, commit.state.status.is_final());
        let announced = commit.announcements();
        let (version, bytes) = self.job_mut(&commit.job)?.commit(commit, now)?;
        if ends {
            self.slots.note_end(&id, now);
        }
        let steps = (!ends).then_some(ended.as_slice());
        self.spending.end_reservations(&id, steps);
        self.submit_slots.end_slots(&id, steps, now);
        if let Some(job) = self.jobs.get(&id) {
            self.spending.add_charges(&ChargedSubjects::of_job(&job.row), at, charges);
        }
        self.webhooks.announce(&id, announced, at, now);
        self.bytes_written += bytes + rows_len(&cached);
        for row in cached {
            self.cache.insert_result(row, now);
        }
        Ok(version)
    }

    pub(super) fn read_cached_result(&self, key: &str, now: Timestamp) -> Option<Value> {
        self.cache.get(key, now).cloned()
    }

    pub(super) fn deliver_message(
        &mut self,
        job: &str,
        key: &str,
        payload: Value,
        finished_poll: Option<u64>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let id = self.messages + 1;
        let waits = self.slots.is_waiting(job);
        let found = self.job_mut(job)?;
        let new = found.deliver_message(id, key, payload, finished_poll);
        if new && !waits {
            found.make_due(now);
        }
        self.messages = id;
        Ok(new)
    }

    pub(super) fn waive_slot(&mut self, job: &str, now: Timestamp) {
        if self.slots.waive_slot(job, now)
            && let Some(job) = self.jobs.get_mut(job)
        {
            job.make_due(now);
        }
    }

    pub(super) fn claim_provider_work(&mut self, following: ProviderWorkClaim) -> Result<bool, StoreError> {
        let ProviderWorkClaim { provider, provider_id, job, effect } = following;
        self.require_job(&job)?;
        let follower = (job, effect);
        Ok(*self.followers.entry((provider, provider_id)).or_insert_with(|| follower.clone()) == follower)
    }

    pub(super) fn take_polls(&mut self, limit: u32, now: Timestamp, until: Timestamp) -> Vec<DuePoll> {
        let mut due: Vec<(Timestamp, String, u64)> = Vec::new();
        for (id, job) in &self.jobs {
            due.extend(job.due_polls(now).map(|(at, effect)| (at, id.clone(), effect)));
        }
        due.sort();
        due.truncate(limit as usize);
        due.into_iter().filter_map(|(_, id, effect)| self.jobs.get_mut(&id)?.take_poll(effect, until)).collect()
    }

    pub(super) fn replace_ticket(&mut self, job: &str, effect: u64, ticket: Value) {
        if let Some(job) = self.jobs.get_mut(job) {
            job.replace_ticket(effect, ticket);
        }
    }

    pub(super) fn record_report(&mut self, job: &str, report: StepReport) {
        if let Some(job) = self.jobs.get_mut(job) {
            job.record_report(report);
        }
    }

    pub(super) fn put_back(&mut self, job: &str, effect: u64, due_at: Timestamp, progress: Option<(u64, f64)>) {
        if let Some(job) = self.jobs.get_mut(job) {
            job.put_back(effect, due_at, progress);
        }
    }

    pub(super) fn take_erasures(&mut self, limit: u32, now: Timestamp, until: Timestamp) -> Vec<DueErasure> {
        let ready = self.jobs.iter().filter_map(|(id, job)| Some((job.erase_ready_at?, id.clone())));
        let mut due: Vec<(Timestamp, String)> = ready.filter(|(at, _)| *at <= now).collect();
        due.sort();
        due.truncate(limit as usize);
        due.into_iter().filter_map(|(_, id)| self.jobs.get_mut(&id)?.take_erasure(until)).collect()
    }

    pub(super) fn erase_job(&mut self, erasure: Erasure) -> Result<(), StoreError> {
        let job = self.job_mut(&erasure.job)?;
        if !job.row.state.status.is_final() {
            return Err(StoreError::Active { job: erasure.job });
        }
        job.erase_part(erasure);
        Ok(())
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.jobs
            .values()
            .filter_map(Job::next_due)
            .chain(self.slots.next_look())
            .chain(self.submit_slots.next_look())
            .min()
    }

    pub(super) fn bytes_in_flight(&self, user: &str) -> u64 {
        self.jobs.values().map(|job| job.bytes_in_flight(user)).sum()
    }

    pub(super) fn list_jobs(&self, filter: &JobFilter, after: Option<&str>, limit: u32) -> Vec<JobRow> {
        let take = |jobs: &mut dyn Iterator<Item = &Job>| -> Vec<JobRow> {
            let rows = jobs.map(|job| &job.row).filter(|row| matches_filter(filter, row));
            rows.take(limit as usize).cloned().collect()
        };
        let end = after.map_or(Bound::Unbounded, Bound::Excluded);
        match filter.order {
            JobOrder::Newest => take(&mut self.jobs.range::<str, _>((Bound::Unbounded, end)).rev().map(|(_, job)| job)),
            JobOrder::Oldest => take(&mut self.jobs.range::<str, _>((end, Bound::Unbounded)).map(|(_, job)| job)),
        }
    }

    pub(super) fn count_active_jobs(&self) -> BTreeMap<JobStatus, u64> {
        let mut counts = BTreeMap::new();
        for status in self.jobs.values().map(|job| job.row.state.status).filter(|status| !status.is_final()) {
            *counts.entry(status).or_default() += 1;
        }
        counts
    }

    pub(super) fn delete(&mut self, id: &str) -> Result<(), StoreError> {
        if !self.require_job(id)?.row.state.status.is_final() {
            return Err(StoreError::Active { job: id.to_owned() });
        }
        self.jobs.remove(id);
        self.followers.retain(|_, (job, _)| job != id);
        self.keys.retain(|_, used| used.job != id);
        self.webhooks.delete_job(id);
        Ok(())
    }
}

fn contains_text(name: &str, text: &str) -> bool {
    name.to_ascii_lowercase().contains(&text.to_ascii_lowercase())
}

/// Returns whether a job matches a filter.
fn matches_filter(filter: &JobFilter, row: &JobRow) -> bool {
    filter.status.is_none_or(|status| row.state.status == status)
        && (filter.workflow_id.is_none() || filter.workflow_id == row.workflow_id)
        && (filter.node_id.is_none() || filter.node_id == row.node_id)
        && (filter.created_by.is_none() || filter.created_by == row.created_by)
        && filter.search.as_ref().is_none_or(|text| contains_text(&row.name, text) || row.id.eq_ignore_ascii_case(text))
        && filter.created_after.is_none_or(|moment| row.created_at >= moment)
        && filter.created_before.is_none_or(|moment| row.created_at < moment)
}

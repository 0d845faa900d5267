//! Releasing a job: later answers of its providers are delivered to its inbox, for the next owner.

use tokio::task::JoinSet;

use super::turn::Batch;
use super::{Drive, Returned, Taken};
use crate::engine::Fact;
use crate::ports::{Commit, LeaseChange, StoreError};
use crate::runtime::inbox_payload::InboxPayload;
use crate::runtime::store_health::pause_ms;

impl Drive<'_> {
    /// Releases the job in its last committed state, so that it is claimed again once the store accepts commits. A
    /// commit that failed because of the store does not count as a crash.
    pub(super) async fn give_back(&self) {
        let mut failures = 0;
        loop {
            let now = self.now();
            let lease = LeaseChange::Release { wake_at: Some(now) };
            let unchanged = Commit::new(&self.job, self.version, now, self.committed.state.clone(), lease);
            match self.inner.parts.store.commit_turn(unchanged).await {
                Err(error) if error.fault().is_some() => {
                    self.inner.parts.clock.sleep_until(now.plus_ms(pause_ms(failures))).await;
                    failures += 1;
                }
                // The commit that seemed to fail was made, or another owner has the job: this drive does not hold the
                // lease.
                Err(error) => return tracing::info!(%error, job = self.job, "the job could not be released"),
                Ok(_) => return self.inner.notifier.notify_work(),
            }
        }
    }

    /// Takes no new work and delivers received answers to the inbox; returns whether no call is in flight any more.
    pub(super) async fn wind_down(&mut self) -> Result<bool, StoreError> {
        self.drop_downloads();
        let mut deliveries = self.leave_facts();
        while deliveries.join_next().await.is_some() {}
        if !self.out.is_empty() {
            return Ok(false);
        }
        self.release_unfinished().await?;
        Ok(true)
    }

    /// Leaves the job: later answers are delivered to its next owner.
    pub(super) async fn leave_job(&mut self) {
        self.drop_downloads();
        let mut deliveries = self.leave_facts();
        while !self.out.is_empty() {
            let Some(returned) = self.returns.1.recv().await else { break };
            self.out.remove(&returned.effect);
            self.deliver_answer(&mut deliveries, returned);
        }
        while deliveries.join_next().await.is_some() {}
    }

    /// Starts to deliver the answers that no commit has recorded to the inbox.
    fn leave_facts(&mut self) -> JoinSet<()> {
        let mut deliveries = JoinSet::new();
        for taken in std::mem::take(&mut self.facts) {
            let Taken { payload: InboxPayload { fact, calls, reported_cost }, message } = taken;
            if let (Fact::Answered { effect, answer }, None) = (fact, message) {
                self.deliver_answer(&mut deliveries, Returned { effect, answer, calls, reported_cost });
            }
        }
        deliveries
    }

    /// Starts to deliver an answer to the inbox; it is kept in memory while the store is unavailable.
    fn deliver_answer(&self, deliveries: &mut JoinSet<()>, returned: Returned) {
        let (inner, job) = (self.inner.clone(), self.job.clone());
        deliveries.spawn(async move {
            let Returned { effect, answer, calls, reported_cost } = returned;
            let key = answer.delivery_key(effect, None);
            let payload = InboxPayload::from_answer(effect, answer, calls).with_reported_cost(reported_cost);
            if let Err(error) = inner.record_answer(&job, &key, &payload, None).await {
                tracing::error!(%error, job, effect, "a result could not be recorded");
            }
        });
    }

    /// Releases a job that another worker may continue immediately.
    async fn release_unfinished(&mut self) -> Result<(), StoreError> {
        let now = self.now();
        let open = self.open_work(&Batch::default());
        let release = LeaseChange::Release { wake_at: Some(now) };
        let commit = self.commit_of(Batch::default(), open.into_polls(), now, release);
        self.inner.parts.store.commit_turn(commit).await?;
        self.inner.notifier.notify_work();
        Ok(())
    }
}

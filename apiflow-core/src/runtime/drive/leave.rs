//! Leaving a job: what its providers answer from then on is left in its inbox, for its next owner.

use tokio::task::JoinSet;

use super::turn::Batch;
use super::{Drive, Returned, Taken};
use crate::engine::Fact;
use crate::ports::{Commit, LeaseChange, StoreError};
use crate::runtime::inbox_payload::InboxPayload;
use crate::runtime::store_health::pause_ms;

impl Drive<'_> {
    /// Releases the job as it was last committed, so that it is claimed again as soon as the store takes commits. What
    /// kept it from its commit is not its own fault, and does not count as a crash.
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
                // The commit that seemed to fail was made, or another owner has the job: its lease is not this drive's.
                Err(error) => return tracing::info!(%error, job = self.job, "the job could not be released"),
                Ok(_) => return self.inner.notifier.notify_work(),
            }
        }
    }

    /// Takes nothing new in: what has come back is left in the inbox; returns whether nothing is out any more.
    pub(super) async fn wind_down(&mut self) -> Result<bool, StoreError> {
        let mut deliveries = self.leave_facts();
        while deliveries.join_next().await.is_some() {}
        if !self.out.is_empty() {
            return Ok(false);
        }
        self.release_unfinished().await?;
        Ok(true)
    }

    /// Leaves the job: what comes back from now on is a fact for the job's next owner.
    pub(super) async fn leave_job(&mut self) {
        let mut deliveries = self.leave_facts();
        while !self.out.is_empty() {
            let Some(returned) = self.returns.1.recv().await else { break };
            self.out.remove(&returned.effect);
            self.deliver_answer(&mut deliveries, returned);
        }
        while deliveries.join_next().await.is_some() {}
    }

    /// Begins to put the answers that came back, and that no commit took in, into the inbox.
    fn leave_facts(&mut self) -> JoinSet<()> {
        let mut deliveries = JoinSet::new();
        for taken in std::mem::take(&mut self.facts) {
            let Taken { payload: InboxPayload { fact, calls }, message } = taken;
            if let (Fact::Answered { effect, answer }, None) = (fact, message) {
                self.deliver_answer(&mut deliveries, Returned { effect, answer, calls });
            }
        }
        deliveries
    }

    /// Begins to put an answer into the inbox; it waits in memory while the store cannot take it.
    fn deliver_answer(&self, deliveries: &mut JoinSet<()>, returned: Returned) {
        let (inner, job) = (self.inner.clone(), self.job.clone());
        deliveries.spawn(async move {
            let Returned { effect, answer, calls } = returned;
            let key = answer.delivery_key(effect, None);
            let payload = InboxPayload::from_answer(effect, answer, calls);
            if let Err(error) = inner.record_answer(&job, &key, &payload, None).await {
                tracing::error!(%error, job, effect, "a result could not be recorded");
            }
        });
    }

    /// Releases a job that another worker may continue at once.
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

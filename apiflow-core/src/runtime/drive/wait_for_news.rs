//! What a drive waits for: answers of its own calls, messages in the job's inbox, and times.

use tokio::time::{Duration, Instant};

use super::{Drive, Returned, Taken};
use crate::ports::{InboxMessage, StoreError, Timestamp};
use crate::runtime::inbox_payload::InboxPayload;
use crate::runtime::notifier::Mailbox;

/// Interval at which a job that never waits checks for messages of other processes; those of this process arrive
/// immediately.
const INBOX_INTERVAL: Duration = Duration::from_millis(500);

impl Drive<'_> {
    /// Waits for the next input of this job; if free work is left, only checks for one.
    pub(super) async fn wait_for_news(&mut self, mailbox: &Mailbox, stopping: bool) -> Result<(), StoreError> {
        let clock = self.inner.parts.clock.clone();
        let busy = !stopping && self.postponed.is_none() && self.run.next_free_effect().is_some();
        if busy && self.looked_at.elapsed() >= INBOX_INTERVAL {
            return self.read_inbox(mailbox).await;
        }
        let wake = if busy { None } else { self.wake_at }.unwrap_or(Timestamp(i64::MAX));
        tokio::select! {
            biased;
            Some(returned) = self.returns.1.recv() => {
                self.take_answer(returned);
                // Answers that have arrived in the meantime share the turn and its commit.
                while let Ok(returned) = self.returns.1.try_recv() {
                    self.take_answer(returned);
                }
                Ok(())
            }
            () = mailbox.changed.notified() => {
                if mailbox.is_lost() { Ok(()) } else { self.read_inbox(mailbox).await }
            }
            () = clock.sleep_until(wake), if wake.0 != i64::MAX && !stopping => Ok(()),
            () = self.inner.notifier.wait_for_stop(), if !stopping => Ok(()),
            () = tokio::task::yield_now(), if busy => Ok(()),
        }
    }

    fn take_answer(&mut self, returned: Returned) {
        let Returned { effect, answer, calls, reported_cost } = returned;
        self.out.remove(&effect);
        self.downloads.remove(&effect);
        let payload = InboxPayload::from_answer(effect, answer, calls).with_reported_cost(reported_cost);
        self.facts.push_back(Taken { payload, message: None });
    }

    async fn read_inbox(&mut self, mailbox: &Mailbox) -> Result<(), StoreError> {
        self.looked_at = Instant::now();
        // Before reading, so that no later message is missed.
        mailbox.take_mail_flag();
        let mail = self.inner.parts.store.read_inbox(&self.job).await?;
        self.take_mail(mail);
        Ok(())
    }

    pub(super) fn take_mail(&mut self, mail: Vec<InboxMessage>) {
        for message in mail {
            if !self.seen.insert(message.id) {
                continue;
            }
            match serde_json::from_value(message.payload) {
                Ok(payload) => self.facts.push_back(Taken { payload, message: Some(message.id) }),
                Err(error) => {
                    tracing::error!(%error, job = self.job, "a message of the job cannot be read and is ignored");
                    self.unreadable.push(message.id);
                }
            }
        }
    }
}

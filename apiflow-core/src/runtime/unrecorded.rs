//! Answers of providers that the store cannot record yet. They may be the only evidence of paid work, so a limited
//! number of them is kept in memory until they can be recorded.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Inner;
use super::inbox_payload::InboxPayload;
use super::store_health::pause_ms;
use crate::evaluate::estimate_json_bytes;
use crate::ports::StoreError;

/// Maximum number of tries to record an answer that the store refuses for another reason than being unavailable.
const MAX_REFUSALS: u32 = 8;

/// The answers that wait.
pub(super) struct UnrecordedAnswers {
    max_count: usize,
    max_bytes: usize,
    waiting: Mutex<Waiting>,
}

#[derive(Clone, Copy, Default)]
struct Waiting {
    count: usize,
    bytes: usize,
}

/// The place of one answer, which is released when dropped.
struct AnswerPlace<'a> {
    answers: &'a UnrecordedAnswers,
    bytes: usize,
}

impl Drop for AnswerPlace<'_> {
    fn drop(&mut self) {
        let mut waiting = self.answers.lock_waiting();
        waiting.count -= 1;
        waiting.bytes -= self.bytes;
    }
}

impl UnrecordedAnswers {
    pub(super) fn new(max_count: usize, max_bytes: usize) -> Self {
        Self { max_count, max_bytes, waiting: Mutex::default() }
    }

    /// Reserves a place for an answer; `None` if there is none left.
    fn reserve_place(&self, bytes: usize) -> Option<AnswerPlace<'_>> {
        let mut waiting = self.lock_waiting();
        if waiting.count >= self.max_count || waiting.bytes.saturating_add(bytes) > self.max_bytes {
            return None;
        }
        waiting.count += 1;
        waiting.bytes += bytes;
        Some(AnswerPlace { answers: self, bytes })
    }

    fn lock_waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Delivers a provider's answer to a job's inbox and wakes its worker; returns whether it is new. While the store
    /// is unavailable, the answer is kept in memory and retried.
    ///
    /// # Errors
    /// [`StoreError`] if the job is gone, the store repeatedly refuses the answer for another reason than an outage, or
    /// no more answers may wait ([`super::RuntimeSettings::max_unrecorded_answers`]).
    pub(super) async fn record_answer(
        &self,
        job: &str,
        key: &str,
        answer: &InboxPayload,
        finished_poll: Option<u64>,
    ) -> Result<bool, StoreError> {
        let payload = answer.to_json();
        let mut place = None;
        let mut failures = 0;
        loop {
            let error = match self.parts.store.deliver_message(job, key, payload.clone(), finished_poll).await {
                Ok(new) => {
                    self.health.note_success();
                    self.notifier.notify_mail(job);
                    return Ok(new);
                }
                Err(error @ StoreError::NotFound { .. }) => return Err(error),
                Err(error) => error,
            };
            self.health.note_failure(&error, self.parts.clock.now());
            if error.fault().is_none() && failures >= MAX_REFUSALS {
                return Err(error);
            }
            if place.is_none() {
                place = self.unrecorded.reserve_place(estimate_json_bytes(&payload));
                if place.is_none() {
                    tracing::error!(job, key, "too many results wait for the store: this one is dropped");
                    return Err(error);
                }
                tracing::warn!(%error, job, key, "a result cannot be recorded yet; it waits in memory");
            }
            self.parts.clock.sleep_until(self.parts.clock.now().plus_ms(pause_ms(failures))).await;
            failures += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_wait_within_bounds_of_count_and_bytes() {
        let answers = UnrecordedAnswers::new(2, 100);
        let first = answers.reserve_place(60).expect("there is room");
        assert!(answers.reserve_place(60).is_none(), "too many bytes");
        let second = answers.reserve_place(40).expect("there is room");
        assert!(answers.reserve_place(0).is_none(), "too many answers");
        drop((first, second));
        assert!(answers.reserve_place(100).is_some(), "all room is free again");
    }
}

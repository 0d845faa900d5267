//! Whether the store is available, as far as this process has seen: while it is not, no new work is started.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ports::{StoreError, StoreFault, Timestamp};

/// Delay after the first failure, in milliseconds; doubled each time.
const FIRST_PAUSE_MS: u64 = 200;
/// Maximum delay between two tries, in milliseconds.
const MAX_PAUSE_MS: u64 = 5_000;

/// Returns the delay before the store is asked again, in milliseconds, after `failures` earlier failures.
pub(super) fn pause_ms(failures: u32) -> u64 {
    (FIRST_PAUSE_MS << failures.min(16)).min(MAX_PAUSE_MS)
}

/// The last known state of the store.
#[derive(Default)]
pub(super) struct StoreHealth(Mutex<Option<Outage>>);

/// The store is unavailable.
struct Outage {
    fault: StoreFault,
    /// Number of delays so far.
    pauses: u32,
    /// Until when no new work is started.
    until: Timestamp,
}

impl StoreHealth {
    /// Records a failure. Only the first failure within a delay counts.
    pub(super) fn note_failure(&self, error: &StoreError, now: Timestamp) {
        let Some(fault) = error.fault() else { return };
        let mut outage = self.lock_outage();
        let pauses = match outage.as_ref() {
            Some(known) if now < known.until => return,
            Some(known) => known.pauses + 1,
            None => 0,
        };
        if outage.as_ref().is_none_or(|known| known.fault != fault) {
            tracing::error!(%error, code = fault.code(), "the store is unavailable: no new work is started");
        }
        *outage = Some(Outage { fault, pauses, until: now.plus_ms(pause_ms(pauses)) });
    }

    /// Records that a commit or an answer was written.
    pub(super) fn note_success(&self) {
        if let Some(outage) = self.lock_outage().take() {
            tracing::info!(code = outage.fault.code(), "the store is available again");
        }
    }

    /// Returns until when no new work is started, if that time has not come.
    pub(super) fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.lock_outage().as_ref().map(|outage| outage.until).filter(|until| now < *until)
    }

    fn lock_outage(&self) -> MutexGuard<'_, Option<Outage>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_while_the_store_fails_and_end_with_the_first_success() {
        let health = StoreHealth::default();
        let full = StoreError::Unavailable { fault: StoreFault::Full, cause: String::new() };
        let fail_at = |ms| {
            health.note_failure(&full, Timestamp(ms));
            health.paused_until(Timestamp(ms))
        };
        assert_eq!(fail_at(0), Some(Timestamp(200)));
        assert_eq!(fail_at(100), Some(Timestamp(200)), "the same pause");
        assert_eq!(health.paused_until(Timestamp(200)), None, "now the store is asked again");
        assert_eq!(fail_at(200), Some(Timestamp(600)));
        assert_eq!((pause_ms(4), pause_ms(5), pause_ms(u32::MAX)), (3_200, 5_000, 5_000));
        health.note_success();
        assert_eq!(fail_at(700), Some(Timestamp(900)));
        health.note_success();
        health.note_failure(&StoreError::NotFound { job: "a".to_owned() }, Timestamp(0));
        assert_eq!(health.paused_until(Timestamp(0)), None, "the store did its work");
    }
}

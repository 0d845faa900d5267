//! Caches the pauses of submits that rate limits require, so that the store is not read before every submit.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::ports::{Store, StoreError, Timestamp};

/// Maximum age of a cached pause, in milliseconds: another process may have recorded a longer one in the meantime.
const MAX_AGE_MS: u64 = 1_000;
/// Number of cached limits above which expired ones are removed.
const MAX_LIMITS: usize = 1_024;

/// Cached pauses, by rate limit.
#[derive(Default)]
pub(super) struct SubmitPauses(Mutex<BTreeMap<String, KnownPause>>);

/// A cached pause of one limit.
struct KnownPause {
    read_at: Timestamp,
    /// End of the pause, by this process's clock.
    until: Timestamp,
}

impl SubmitPauses {
    /// Returns for how many milliseconds nothing may be submitted under a limit; 0 if it is not paused. A pause that
    /// another process recorded within the last second may be missing.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub(super) async fn read_remaining_ms(
        &self,
        store: &dyn Store,
        limit: &str,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        if let Some(known) = self.lock_limits().get(limit).filter(|known| known.is_fresh(now)) {
            return Ok(known.until.since_ms(now));
        }
        let left_ms = to_ms(store.read_submit_pause(limit).await?.unwrap_or_default());
        self.remember(limit, KnownPause { read_at: now, until: now.plus_ms(left_ms) });
        Ok(left_ms)
    }

    /// Records a pause for all processes.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be written; this process observes the pause nevertheless.
    pub(super) async fn record(
        &self,
        store: &dyn Store,
        limit: &str,
        pause: Duration,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.remember(limit, KnownPause { read_at: now, until: now.plus_ms(to_ms(pause)) });
        store.pause_submits(limit, pause).await
    }

    /// Caches a pause; the longer one of two takes precedence.
    fn remember(&self, limit: &str, known: KnownPause) {
        let mut limits = self.lock_limits();
        if limits.len() >= MAX_LIMITS {
            limits.retain(|_, before| before.is_fresh(known.read_at) || before.until > known.read_at);
        }
        let until = limits.get(limit).map_or(known.until, |before| before.until.max(known.until));
        limits.insert(limit.to_owned(), KnownPause { until, ..known });
    }

    fn lock_limits(&self) -> MutexGuard<'_, BTreeMap<String, KnownPause>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KnownPause {
    fn is_fresh(&self, now: Timestamp) -> bool {
        now.since_ms(self.read_at) < MAX_AGE_MS
    }
}

fn to_ms(pause: Duration) -> u64 {
    u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ports::Clock;
    use crate::runtime::clock::ManualClock;
    use crate::runtime::memory::MemoryStore;

    #[tokio::test]
    async fn a_pause_is_known_at_once_here_and_within_a_second_elsewhere() {
        let clock = Arc::new(ManualClock::new(Timestamp(5_000)));
        let store = MemoryStore::new(clock.clone());
        let (here, elsewhere) = (SubmitPauses::default(), SubmitPauses::default());
        let left = async |pauses: &SubmitPauses| {
            pauses.read_remaining_ms(&store, "limit", clock.now()).await.expect("a pause is read")
        };
        let record = async |seconds| {
            here.record(&store, "limit", Duration::from_secs(seconds), clock.now()).await.expect("a pause is recorded");
        };
        assert_eq!((left(&here).await, left(&elsewhere).await), (0, 0));
        record(60).await;
        assert_eq!((left(&here).await, left(&elsewhere).await), (60_000, 0));
        clock.advance_by(Duration::from_millis(MAX_AGE_MS));
        assert_eq!(left(&elsewhere).await, 59_000);
        record(1).await;
        assert_eq!(left(&here).await, 59_000, "the longer one holds");
        clock.advance_by(Duration::from_secs(59));
        assert_eq!((left(&here).await, left(&elsewhere).await), (0, 0));
    }
}

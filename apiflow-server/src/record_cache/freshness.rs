//! Whether values derived from cached records are still up to date.

#[cfg(test)]
use std::time::Duration;

use super::entries::{ReadStart, RecordCache};

/// Knows whether values derived from documents and secrets are up to date. Cheap to clone.
#[derive(Clone)]
pub struct RecordFreshness(RecordCache);

/// The state of the records before a value was derived from them.
#[derive(Clone, Copy)]
pub struct RecordsRead(ReadStart);

impl RecordFreshness {
    /// Watches the records of a cache.
    pub(super) fn of_cache(cache: RecordCache) -> Self {
        Self(cache)
    }

    /// Watches records that are never written, and are at most `max_age` old.
    #[cfg(test)]
    pub(crate) fn with_max_age(max_age: Option<Duration>) -> Self {
        Self(RecordCache::new(max_age))
    }

    /// Call this before reading the records that a value is derived from.
    pub(crate) fn begin_derivation(&self) -> RecordsRead {
        RecordsRead(self.0.begin_derivation())
    }

    /// Whether a value derived from the records then would be the same now: this process has written none since, and if other
    /// processes may write, the records were read at most [`super::MAX_SHARED_AGE`] ago.
    pub(crate) fn is_current(&self, read: RecordsRead) -> bool {
        self.0.is_current(read.0)
    }
}

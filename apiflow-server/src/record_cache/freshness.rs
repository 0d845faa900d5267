//! Whether what was made of cached records is still what would be made of them.

#[cfg(test)]
use std::time::Duration;

use super::entries::{ReadStart, RecordCache};

/// Tells whether what was made of documents and secrets is up to date. Cheap to clone.
#[derive(Clone)]
pub struct RecordFreshness(RecordCache);

/// The state of the records before something was made of them.
#[derive(Clone, Copy)]
pub struct RecordsRead(ReadStart);

impl RecordFreshness {
    /// Watches the records of a cache.
    pub(super) fn of_cache(cache: RecordCache) -> Self {
        Self(cache)
    }

    /// Watches records that nobody writes, and that are at most `max_age` old.
    #[cfg(test)]
    pub(crate) fn with_max_age(max_age: Option<Duration>) -> Self {
        Self(RecordCache::new(max_age))
    }

    /// Call this before the records are read of which something is made.
    pub(crate) fn begin_derivation(&self) -> RecordsRead {
        RecordsRead(self.0.begin_derivation())
    }

    /// Whether what was made of the records then would be the same now: this process has written none since, and where
    /// others may, they were read at most [`super::MAX_SHARED_AGE`] ago.
    pub(crate) fn is_current(&self, read: RecordsRead) -> bool {
        self.0.is_current(read.0)
    }
}

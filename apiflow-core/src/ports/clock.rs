//! Time: the pure core gets it as an argument, drivers from a [`Clock`].

mod rfc3339;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

/// A point in time, in milliseconds since the Unix epoch (UTC).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Formats the time in UTC with milliseconds: `2026-01-31T23:59:59.000Z` (RFC 3339).
    pub fn to_rfc3339(self) -> String {
        rfc3339::format_timestamp(self)
    }

    /// Parses RFC 3339 with any offset; digits after the milliseconds are dropped.
    pub fn from_rfc3339(text: &str) -> Option<Self> {
        rfc3339::parse(text)
    }

    /// Returns the time `ms` milliseconds later; saturates.
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(i64::try_from(ms).unwrap_or(i64::MAX)))
    }

    /// Returns the milliseconds from `earlier` to this time; 0 if it is earlier.
    pub fn since_ms(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

/// Returns the current time and waits.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Returns the current time.
    fn now(&self) -> Timestamp;

    /// Returns at `moment`, or immediately if it has passed.
    async fn sleep_until(&self, moment: Timestamp);
}

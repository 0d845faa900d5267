//! Counts of deliveries, for the metrics.

use std::sync::atomic::AtomicU64;

/// What became of tries since the process started.
#[derive(Debug, Default)]
pub(crate) struct DeliveryCounters {
    /// Number of messages that their receivers accepted.
    pub(crate) delivered: AtomicU64,
    /// Number of tries that are followed by another.
    pub(crate) retried: AtomicU64,
    /// Number of messages that are not sent again.
    pub(crate) given_up: AtomicU64,
}

//! Limits on the number of connections and on how long they may wait.

use std::time::Duration;

/// Upper bound of the default connection limit: each connection takes memory too.
const MAX_DEFAULT_CONNECTIONS: u64 = 16_384;

/// Descriptors reserved for files, the database, evaluators and the listener.
const MIN_RESERVED_DESCRIPTORS: u64 = 96;

/// Descriptors that a running job may need for its calls to providers.
const MAX_DESCRIPTORS_PER_JOB: u64 = 2;

/// Limits on connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServingLimits {
    /// Maximum number of open connections.
    pub(crate) max_connections: usize,
    /// How long the head of a request may take, from its first byte; for the first one from the start of the
    /// connection.
    pub(crate) head_timeout: Duration,
    /// How long a client may make no progress in sending a body or reading a reply.
    pub(crate) stall_timeout: Duration,
    /// How long a connection may be idle after its first request.
    pub(crate) idle_timeout: Duration,
}

/// Returns how many connections fit beside what the database and `concurrency` jobs need, given the soft limit of open
/// files.
pub(crate) fn default_max_connections(soft_limit: u64, concurrency: u32) -> usize {
    let reserved = MIN_RESERVED_DESCRIPTORS + u64::from(concurrency) * MAX_DESCRIPTORS_PER_JOB;
    // If few remain, connections and jobs share them.
    let rest = soft_limit.saturating_sub(reserved).max(soft_limit / 2).max(1);
    usize::try_from(rest.min(MAX_DEFAULT_CONNECTIONS)).unwrap_or(usize::MAX)
}

/// Returns the soft limit of open files of this process.
pub(crate) fn open_files_limit() -> Option<u64> {
    #[cfg(unix)]
    return rlimit::Resource::NOFILE.get_soft().ok();
    #[cfg(not(unix))]
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_room_for_the_rest() {
        for (soft_limit, concurrency, expected) in
            [(1_024, 64, 800), (1_048_576, 64, 16_384), (256, 64, 128), (1_024, 2_000, 512), (0, 1, 1)]
        {
            assert_eq!(default_max_connections(soft_limit, concurrency), expected, "{soft_limit} {concurrency}");
        }
    }
}

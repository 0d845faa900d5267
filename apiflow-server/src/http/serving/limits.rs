//! How many connections there may be, and how long one may wait.

use std::time::Duration;

/// Connections that the default limit does not exceed: each takes memory too.
const MAX_DEFAULT_CONNECTIONS: u64 = 16_384;

/// Descriptors for files, the database, evaluators and the listener.
const MIN_RESERVED_DESCRIPTORS: u64 = 96;

/// Descriptors that a job at work may need for its calls to providers.
const MAX_DESCRIPTORS_PER_JOB: u64 = 2;

/// Bounds on connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServingLimits {
    /// Connections that are open at the same time.
    pub(crate) max_connections: usize,
    /// How long the head of a request may take, from its first byte; for the first one from the connection's begin.
    pub(crate) head_timeout: Duration,
    /// How long a client may send nothing of a body, or read nothing of a reply.
    pub(crate) stall_timeout: Duration,
    /// How long a connection may be without a request after the first one.
    pub(crate) idle_timeout: Duration,
}

/// How many connections fit beside what the database and `concurrency` jobs need, given the soft limit of open files.
pub(crate) fn default_max_connections(soft_limit: u64, concurrency: u32) -> usize {
    let reserved = MIN_RESERVED_DESCRIPTORS + u64::from(concurrency) * MAX_DESCRIPTORS_PER_JOB;
    // Where little is left both halves have to make do.
    let rest = soft_limit.saturating_sub(reserved).max(soft_limit / 2).max(1);
    usize::try_from(rest.min(MAX_DEFAULT_CONNECTIONS)).unwrap_or(usize::MAX)
}

/// The soft limit of files that this process may have open.
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

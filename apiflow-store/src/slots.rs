//! Slots of jobs that share a concurrency key: the decisions that both databases share.

use apiflow_core::ports::Concurrency;

use crate::job_rows::{from_int, to_int};

/// Number of waiting jobs that are examined together.
pub(crate) const WAITING_PAGE_SIZE: usize = 64;

/// `job_id`, `size` and `window_ms` of a waiting job.
pub(crate) type WaitingColumns = (String, i64, Option<i64>);

/// Returns the window of a job, in milliseconds.
pub(crate) fn window_ms(concurrency: &Concurrency) -> Option<i64> {
    concurrency.window_s.map(|seconds| to_int(seconds.saturating_mul(1_000)).min(i64::MAX / 2))
}

/// The number of jobs of a key that have a slot, and the number that count in their windows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counts {
    held: u64,
    recent: u64,
}

impl Counts {
    pub(crate) fn from_row((held, recent): (i64, i64)) -> Self {
        Self { held: from_int(held), recent: from_int(recent) }
    }

    /// Returns the waiting jobs, in this order, that get a slot; counts them.
    pub(crate) fn admit_waiting(&mut self, key: &str, waiting: Vec<WaitingColumns>) -> Vec<String> {
        let mut admitted = Vec::new();
        for (job, size, window) in waiting {
            let window_s = window.map(|ms| from_int(ms) / 1_000);
            let asked = Concurrency { key: key.to_owned(), limit: from_int(size), window_s };
            if !asked.has_free_slot(self.held, self.recent) {
                break;
            }
            self.held += 1;
            self.recent += u64::from(window_s.is_some());
            admitted.push(job);
        }
        admitted
    }
}

/// The keys that are due for examination.
macro_rules! look_keys {
    ($now:expr) => {
        concat!("SELECT DISTINCT key FROM job_slots WHERE look_at <= ", $now, " LIMIT 64")
    };
}
pub(crate) use look_keys;

/// The next `look_at` after a key was examined: the end of the start's own window, if it still counts.
macro_rules! next_look {
    ($now:expr) => {
        concat!("CASE WHEN started_at + window_ms > ", $now, " THEN started_at + window_ms END")
    };
}
pub(crate) use next_look;

/// [`Counts`] of a key.
macro_rules! count {
    ($now:expr) => {
        concat!(
            "SELECT COUNT(*) FILTER (WHERE state = 'held'), COUNT(*) FILTER (WHERE window_ms IS NOT NULL \
                 AND (started_at + window_ms > ",
            $now,
            " OR state = 'held' AND started_at IS NULL)) FROM job_slots WHERE key = $1 AND state IN ('held', 'over')"
        )
    };
}
pub(crate) use count;

/// The waiting jobs, in their order.
pub(crate) const MAX_WAITING: &str = "SELECT job_id, size, window_ms FROM job_slots WHERE key = $1 AND state = 'waiting' \
     ORDER BY priority DESC, created_at, job_id LIMIT $2";

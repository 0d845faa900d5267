//! Remembers when something is due, so that this process asks the store only then.
//!
//! What other processes make due is found by the checks that a worker makes at every idle interval.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use crate::ports::Timestamp;

/// Maximum number of remembered times of each kind; later ones are found by the checks at every idle interval.
const MAX_MOMENTS: usize = 10_000;

/// The time of what is due immediately.
pub(super) const AT_ONCE: Timestamp = Timestamp(i64::MIN);

/// The kinds of work that may be due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DueKind {
    /// Jobs that can be claimed.
    Jobs,
    /// Polls of providers.
    Polls,
    /// Erasures of jobs that have ended.
    Erasures,
}

/// When something is due, as far as this process knows.
#[derive(Default)]
pub(super) struct DueTimes(Mutex<Moments>);

#[derive(Default)]
struct Moments {
    jobs: BTreeSet<Timestamp>,
    polls: BTreeSet<Timestamp>,
    erasures: BTreeSet<Timestamp>,
}

impl Moments {
    fn moments_of(&mut self, kind: DueKind) -> &mut BTreeSet<Timestamp> {
        match kind {
            DueKind::Jobs => &mut self.jobs,
            DueKind::Polls => &mut self.polls,
            DueKind::Erasures => &mut self.erasures,
        }
    }
}

impl DueTimes {
    /// Adds a time; returns whether it is the earliest of its kind.
    pub(super) fn add_moment(&self, kind: DueKind, at: Timestamp) -> bool {
        let mut moments = self.lock_moments();
        let moments = moments.moments_of(kind);
        let is_first = moments.first().is_none_or(|first| at < *first);
        moments.insert(at);
        if moments.len() > MAX_MOMENTS {
            moments.pop_last();
        }
        is_first
    }

    /// Returns whether a time of a kind has come.
    pub(super) fn is_due(&self, kind: DueKind, now: Timestamp) -> bool {
        self.first_moment(kind).is_some_and(|first| first <= now)
    }

    /// Removes the times of a kind that have come; returns whether there were any.
    pub(super) fn take_due(&self, kind: DueKind, now: Timestamp) -> bool {
        let mut moments = self.lock_moments();
        let moments = moments.moments_of(kind);
        let mut has_come = false;
        while moments.first().is_some_and(|first| *first <= now) {
            moments.pop_first();
            has_come = true;
        }
        has_come
    }

    /// Returns the earliest time of a kind.
    pub(super) fn first_moment(&self, kind: DueKind) -> Option<Timestamp> {
        self.lock_moments().moments_of(kind).first().copied()
    }

    fn lock_moments(&self) -> std::sync::MutexGuard<'_, Moments> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_that_have_come_are_taken_together_and_the_rest_stays() {
        let due = DueTimes::default();
        assert!(due.add_moment(DueKind::Jobs, Timestamp(5)));
        assert!(!due.add_moment(DueKind::Jobs, Timestamp(9)));
        assert!(due.add_moment(DueKind::Jobs, AT_ONCE));
        assert!(!due.is_due(DueKind::Polls, Timestamp(9)));
        assert!(due.take_due(DueKind::Jobs, Timestamp(5)));
        assert_eq!(due.first_moment(DueKind::Jobs), Some(Timestamp(9)));
        assert!(!due.take_due(DueKind::Jobs, Timestamp(8)));
    }

    #[test]
    fn the_latest_moments_are_forgotten_first() {
        let due = DueTimes::default();
        for at in (0..20_000).rev() {
            due.add_moment(DueKind::Polls, Timestamp(at));
        }
        assert_eq!(due.lock_moments().polls.len(), MAX_MOMENTS);
        assert_eq!(due.first_moment(DueKind::Polls), Some(Timestamp(0)));
    }
}

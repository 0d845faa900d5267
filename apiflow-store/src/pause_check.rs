//! Remembers that the last commit found no paused submits and no budgets, so that the call after it need not query them
//! again.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long that is trusted. A pause or a budget that another process begins within this time may be missed.
const MAX_CHECK_AGE: Duration = Duration::from_millis(50);

/// When it was last known that no submits were paused or limited by budgets.
#[derive(Debug, Default)]
pub(crate) struct PauseCheck(Mutex<Moments>);

#[derive(Debug, Default)]
struct Moments {
    none_since: Option<Instant>,
    /// When this process last recorded a pause.
    paused_at: Option<Instant>,
}

impl PauseCheck {
    /// Records that a statement that was begun at this moment found no pause.
    pub(crate) fn note_none(&self, begun: Instant) {
        let mut moments = self.lock();
        if moments.paused_at.is_none_or(|paused_at| begun > paused_at) {
            moments.none_since = Some(begun);
        }
    }

    /// Records that this process has recorded a pause or a budget.
    pub(crate) fn note_pause(&self) {
        *self.lock() = Moments { none_since: None, paused_at: Some(Instant::now()) };
    }

    /// Whether nothing is paused and no budget exists, as far as was known a moment ago.
    pub(crate) fn is_none_paused(&self) -> bool {
        self.lock().none_since.is_some_and(|moment| moment.elapsed() < MAX_CHECK_AGE)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Moments> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_was_begun_before_a_pause_does_not_hide_it() {
        let check = PauseCheck::default();
        let begun = Instant::now();
        check.note_none(begun);
        check.note_pause();
        assert!(!check.is_none_paused());
        check.note_none(begun);
        assert!(!check.is_none_paused(), "it may not have seen the pause");
    }
}

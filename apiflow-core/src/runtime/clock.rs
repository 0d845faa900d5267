//! Clocks: the system's, and one for tests that only moves on request.

use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use tokio::sync::watch;

use crate::ports::{Clock, Timestamp};

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        // A clock that is set before 1970 counts as 1970.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    async fn sleep_until(&self, moment: Timestamp) {
        // Checked again after waking: the timer does not follow a system clock that was set back.
        loop {
            let left = moment.since_ms(self.now());
            if left == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(left)).await;
        }
    }
}

/// A clock that only moves on request, so that tests of long waits take no time.
#[derive(Debug)]
pub struct ManualClock {
    now: watch::Sender<Timestamp>,
    sleepers: Mutex<Vec<Timestamp>>,
}

impl ManualClock {
    /// Creates a clock that stands at `now`.
    pub fn new(now: Timestamp) -> Self {
        Self { now: watch::Sender::new(now), sleepers: Mutex::new(Vec::new()) }
    }

    /// Moves the clock to `moment` and wakes those who wait for it; has no effect if `moment` has passed.
    pub fn advance_to(&self, moment: Timestamp) {
        self.now.send_if_modified(|now| {
            let forward = moment > *now;
            *now = moment.max(*now);
            forward
        });
    }

    /// Moves the clock by `duration` and wakes those who wait for it.
    pub fn advance_by(&self, duration: Duration) {
        let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        self.now.send_modify(|now| *now = now.plus_ms(ms));
    }

    /// Returns the earliest time that is waited for, if any.
    pub fn next_wake_up(&self) -> Option<Timestamp> {
        self.lock_sleepers().iter().min().copied()
    }

    fn lock_sleepers(&self) -> MutexGuard<'_, Vec<Timestamp>> {
        self.sleepers.lock().expect("nothing panics while it holds the list of sleepers")
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.now.borrow()
    }

    async fn sleep_until(&self, moment: Timestamp) {
        let mut now = self.now.subscribe();
        if *now.borrow_and_update() >= moment {
            return;
        }
        let _sleeper = Sleeper::new(self, moment);
        now.wait_for(|now| *now >= moment).await.expect("the clock lives while it is borrowed");
    }
}

/// An entry in the list of sleepers; removed when dropped, even if the sleep did not end.
struct Sleeper<'a> {
    clock: &'a ManualClock,
    moment: Timestamp,
}

impl<'a> Sleeper<'a> {
    fn new(clock: &'a ManualClock, moment: Timestamp) -> Self {
        clock.lock_sleepers().push(moment);
        Self { clock, moment }
    }
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        let mut sleepers = self.clock.lock_sleepers();
        let place = sleepers.iter().position(|moment| *moment == self.moment);
        sleepers.swap_remove(place.expect("it was entered when the sleep began"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn sleeper(clock: &Arc<ManualClock>, moment: i64) -> tokio::task::JoinHandle<Timestamp> {
        let clock = Arc::clone(clock);
        tokio::spawn(async move {
            clock.sleep_until(Timestamp(moment)).await;
            clock.now()
        })
    }

    #[tokio::test]
    async fn manual_clock_wakes_those_whose_time_has_come() {
        let clock = Arc::new(ManualClock::new(Timestamp(1_000)));
        let late = sleeper(&clock, 5_000);
        let early = sleeper(&clock, 2_000);
        while clock.lock_sleepers().len() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(clock.next_wake_up(), Some(Timestamp(2_000)));

        clock.advance_by(Duration::from_secs(1));
        assert_eq!(early.await.ok(), Some(Timestamp(2_000)));
        assert_eq!(clock.next_wake_up(), Some(Timestamp(5_000)));
        assert!(!late.is_finished());

        clock.advance_to(Timestamp(9_000));
        assert_eq!(late.await.ok(), Some(Timestamp(9_000)));
        assert_eq!(clock.next_wake_up(), None);
    }

    #[tokio::test]
    async fn manual_clock_does_not_go_back_and_a_past_moment_does_not_wait() {
        let clock = ManualClock::new(Timestamp(1_000));
        clock.advance_to(Timestamp(500));
        assert_eq!(clock.now(), Timestamp(1_000));
        clock.sleep_until(Timestamp(1_000)).await;
    }

    #[tokio::test]
    async fn a_dropped_sleep_no_longer_waits() {
        let clock = Arc::new(ManualClock::new(Timestamp(0)));
        let sleep = sleeper(&clock, 10);
        while clock.next_wake_up().is_none() {
            tokio::task::yield_now().await;
        }
        sleep.abort();
        assert!(sleep.await.is_err_and(|error| error.is_cancelled()));
        assert_eq!(clock.next_wake_up(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn system_clock_sleeps_until_the_moment() {
        let clock = SystemClock;
        assert!(clock.now() > Timestamp(1_600_000_000_000));
        clock.sleep_until(Timestamp(0)).await;
    }
}

//! Slows down password guessing, per name and per address.
//!
//! An attempt counts as failed from its start until it succeeds, so that concurrent attempts gain nothing. Memory is
//! bounded: the entry that expires soonest is evicted.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Maximum number of entries.
const MAX_ENTRIES: usize = 10_000;

/// An entry without a failure for this long is removed.
const FORGET_INTERVAL: Duration = Duration::from_hours(1);

/// The subject of a count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Name(String),
    Address(IpAddr),
}

impl Key {
    /// Failures without a delay, and the longest delay. A name is delayed less, because guessing it would otherwise
    /// lock its owner out.
    fn free_failures_and_wait(&self) -> (u32, Duration) {
        match self {
            Self::Name(_) => (5, Duration::from_mins(1)),
            Self::Address(_) => (20, Duration::from_mins(15)),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Count {
    failures: u32,
    free_at: Instant,
    forget_at: Instant,
}

/// Counts of failed logins.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<BTreeMap<Key, Count>>);

impl Throttle {
    /// Starts an attempt: counts it, or returns how long to wait.
    pub(crate) fn begin_attempt(&self, name: &str, address: Option<IpAddr>, now: Instant) -> Result<(), Duration> {
        let mut counts = self.lock_counts();
        let keys = throttle_keys(name, address);
        let wait =
            keys.iter().filter_map(|key| counts.get(key)).map(|count| count.free_at - now.min(count.free_at)).max();
        match wait {
            Some(wait) if !wait.is_zero() => return Err(wait),
            _ => {}
        }
        for key in keys {
            count_failure(&mut counts, key, now);
        }
        Ok(())
    }

    /// Ends a successful attempt: the count of the name is reset, and that of the address is reduced by this attempt.
    pub(crate) fn end_attempt_well(&self, name: &str, address: Option<IpAddr>, now: Instant) {
        let mut counts = self.lock_counts();
        for key in throttle_keys(name, address) {
            let entry = counts.get_mut(&key);
            match (&key, entry) {
                (Key::Address(_), Some(count)) if count.failures > 1 => {
                    count.failures -= 1;
                    count.free_at = now;
                }
                _ => {
                    counts.remove(&key);
                }
            }
        }
    }

    fn lock_counts(&self) -> MutexGuard<'_, BTreeMap<Key, Count>> {
        self.0.lock().expect("nothing panics while it holds the counts")
    }
}

fn throttle_keys(name: &str, address: Option<IpAddr>) -> Vec<Key> {
    // A truncated name keeps an entry small; names of users are shorter.
    let name: String = name.to_lowercase().chars().take(64).collect();
    std::iter::once(Key::Name(name)).chain(address.map(|address| Key::Address(network_of(address)))).collect()
}

/// Returns the network of one customer: a whole /64 for IPv6.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6((address.to_bits() >> 64 << 64).into()),
    }
}

fn count_failure(counts: &mut BTreeMap<Key, Count>, key: Key, now: Instant) {
    if counts.len() >= MAX_ENTRIES && !counts.contains_key(&key) {
        counts.retain(|_, count| count.forget_at > now);
        if counts.len() >= MAX_ENTRIES
            && let Some(soonest) = counts.iter().min_by_key(|(_, count)| count.forget_at).map(|(key, _)| key.clone())
        {
            counts.remove(&soonest);
        }
    }
    let (free, longest) = key.free_failures_and_wait();
    let known = counts.get(&key).filter(|count| count.forget_at > now).map_or(0, |count| count.failures);
    let failures = known.saturating_add(1);
    let wait = match failures.checked_sub(free) {
        None | Some(0) => Duration::ZERO,
        Some(over) => Duration::from_secs(1_u64 << over.min(20)).min(longest),
    };
    counts.insert(key, Count { failures, free_at: now + wait, forget_at: now + FORGET_INTERVAL });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempts(throttle: &Throttle, name: &str, address: u8, count: usize, now: Instant) -> Option<Duration> {
        let address = Some(IpAddr::from([10, 0, 0, address]));
        (0..count).filter_map(|_| throttle.begin_attempt(name, address, now).err()).last()
    }

    #[test]
    fn a_name_waits_ever_longer_from_any_address() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        assert_eq!(attempts(&throttle, "ann", 1, 5, now), None);
        assert_eq!(attempts(&throttle, "ANN", 2, 1, now), None);
        assert_eq!(attempts(&throttle, "Ann", 3, 1, now), Some(Duration::from_secs(2)));
        let later = now + Duration::from_secs(2);
        assert_eq!(attempts(&throttle, "ann", 3, 1, later), None);
        assert_eq!(attempts(&throttle, "ann", 3, 1, later), Some(Duration::from_secs(4)));
        assert_eq!(attempts(&throttle, "bob", 3, 1, later), None);
    }

    #[test]
    fn an_address_waits_whatever_the_name() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        let waits = (0..25).filter_map(|guess| attempts(&throttle, &format!("u{guess}"), 1, 1, now)).count();
        assert_eq!(waits, 4, "21 attempts pass, the 21st makes the next ones wait");
    }

    #[test]
    fn success_frees_the_name_and_an_hour_forgets() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        assert_eq!(attempts(&throttle, "ann", 1, 5, now), None);
        throttle.end_attempt_well("ann", None, now);
        assert_eq!(attempts(&throttle, "ann", 1, 5, now), None);
        assert_eq!(attempts(&throttle, "ann", 1, 5, now + FORGET_INTERVAL + Duration::from_secs(1)), None);
    }

    #[test]
    fn memory_is_bounded() {
        let (throttle, now) = (Throttle::default(), Instant::now());
        for guess in 0..MAX_ENTRIES + 50 {
            let later = now + Duration::from_micros(guess as u64);
            assert_eq!(throttle.begin_attempt(&format!("u{guess}"), None, later), Ok(()));
        }
        assert_eq!(throttle.lock_counts().len(), MAX_ENTRIES);
    }
}

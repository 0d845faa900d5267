//! When a message that was not accepted is sent again.

use std::time::Duration;

/// Delay after the first try that failed.
const FIRST_DELAY_MS: u64 = 5_000;
/// Factor by which the delay grows with each try.
const GROWTH: u64 = 6;
/// Longest delay between two tries.
const MAX_DELAY_MS: u64 = 3 * 3_600_000;
/// A message that was not accepted within this time is given up.
const MAX_AGE_MS: u64 = 24 * 3_600_000;
/// Share of a delay by which it may be longer, in percent.
const JITTER_PERCENT: u64 = 20;

/// Returns the delay after try number `tries`, from 1, of a message that was queued `age_ms` ago; `None` if it is given up.
/// `random` spreads messages whose receiver was unavailable.
///
/// Delays are 5 s, 30 s, 3 min, 18 min, 1.8 h and then 3 h, each up to a fifth longer.
pub(crate) fn next_delay(tries: u32, age_ms: u64, random: u64) -> Option<Duration> {
    let growth = GROWTH.saturating_pow(tries.saturating_sub(1));
    let delay_ms = FIRST_DELAY_MS.saturating_mul(growth).min(MAX_DELAY_MS);
    let jitter_ms = random % (delay_ms * JITTER_PERCENT / 100 + 1);
    let delay_ms = delay_ms + jitter_ms;
    (age_ms.saturating_add(delay_ms) <= MAX_AGE_MS).then_some(Duration::from_millis(delay_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(random: u64) -> Vec<u64> {
        let (mut age_ms, mut delays) = (0, Vec::new());
        while let Some(delay) = next_delay(delays.len() as u32 + 1, age_ms, random) {
            delays.push(delay.as_secs());
            age_ms += u64::try_from(delay.as_millis()).expect("a delay is short");
        }
        delays
    }

    #[test]
    fn delays_grow_to_three_hours_and_end_after_a_day() {
        let mut expected = vec![5, 30, 180, 1_080, 6_480];
        expected.extend([10_800; 7]);
        assert_eq!(delays(0), expected);
        assert_eq!(next_delay(u32::MAX, 0, 0), Some(Duration::from_hours(3)));
    }

    #[test]
    fn jitter_makes_a_delay_at_most_a_fifth_longer() {
        for random in [1, 999, 1_000, 1_001, 123_456_789, u64::MAX] {
            let delay = next_delay(1, 0, random).expect("there is a second try");
            assert!((5_000..=6_000).contains(&delay.as_millis()), "{delay:?}");
            let total: u64 = delays(random).iter().sum();
            assert!((20 * 3_600..=24 * 3_600).contains(&total), "{total} s");
        }
    }
}

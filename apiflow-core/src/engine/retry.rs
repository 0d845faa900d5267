//! Delays of a module's retries.

use serde_json::Value;

use crate::openflow::Retry;

/// Maximum delay between two attempts, in milliseconds (6 hours).
const MAX_RETRY_DELAY_MS: u64 = 6 * 60 * 60 * 1000;

/// Returns the delay before the next attempt in milliseconds, after `failures` failed attempts before the last one;
/// `None` if no retry is left. `random` is any number; it determines the jitter.
///
/// The exponent also counts constant retries: `multiplier × seconds^(failures + 1)`. Source: OpenFlow as Windmill
/// executes it.
pub(super) fn delay_ms(retry: &Retry, failures: u32, random: u64) -> Option<u64> {
    let constant = retry.constant.clone().unwrap_or_default();
    if failures < constant.attempts {
        return Some(bounded_delay_ms(constant.seconds));
    }
    let exponential = retry.exponential.as_ref()?;
    if failures - constant.attempts >= exponential.attempts {
        return None;
    }
    let power = exponential.seconds.saturating_pow(failures + 1);
    let delay = bounded_delay_ms(exponential.multiplier.saturating_mul(power));
    let factor = u64::try_from(exponential.random_factor.unwrap_or(0).clamp(0, 100)).unwrap_or(0);
    if factor == 0 {
        return Some(delay);
    }
    let part = delay / 100 * (random % factor);
    let raised = (random >> 32).is_multiple_of(2);
    Some(if raised { (delay + part).min(MAX_RETRY_DELAY_MS) } else { delay - part })
}

fn bounded_delay_ms(seconds: u64) -> u64 {
    seconds.saturating_mul(1000).min(MAX_RETRY_DELAY_MS)
}

/// Returns the provider's hint when to try again, in milliseconds: `retry_after_ms` in the error object of a failed
/// attempt.
pub(super) fn hint_ms(error: &Value) -> u64 {
    error.get("retry_after_ms").and_then(Value::as_u64).unwrap_or(0).min(MAX_RETRY_DELAY_MS)
}

/// Returns a pseudo-random number that depends only on the arguments (SplitMix64).
pub(super) fn pseudo_random(seed: u64, position: u64) -> u64 {
    let mut mixed = seed.wrapping_add(position.wrapping_mul(0x9E37_79B9_7F4A_7C15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(retry: serde_json::Value) -> Retry {
        crate::openflow::parse_module(&serde_json::json!({"retry": retry})).retry.expect("a retry")
    }

    fn delays(json: serde_json::Value) -> Vec<u64> {
        let retry = parse(json);
        (0..20).map_while(|failures| delay_ms(&retry, failures, 7)).collect()
    }

    #[test]
    fn delays_follow_the_formula() {
        let founding = serde_json::json!({"exponential": {"attempts": 3, "multiplier": 2, "seconds": 5}});
        assert_eq!(delays(founding), [10_000, 50_000, 250_000]);
        let documented = serde_json::json!({"exponential": {"attempts": 5, "multiplier": 2, "seconds": 3}});
        assert_eq!(delays(documented), [6_000, 18_000, 54_000, 162_000, 486_000]);
        let both = serde_json::json!({
            "constant": {"attempts": 2, "seconds": 1},
            "exponential": {"attempts": 2, "multiplier": 1, "seconds": 2}
        });
        assert_eq!(delays(both), [1_000, 1_000, 8_000, 16_000]);
        assert_eq!(delays(serde_json::json!({})), Vec::<u64>::new());
    }

    #[test]
    fn long_delays_saturate_at_six_hours() {
        let retry = serde_json::json!({"exponential": {"attempts": 9, "multiplier": u64::MAX, "seconds": 9_999_999}});
        assert!(delays(retry).iter().all(|&delay| delay == MAX_RETRY_DELAY_MS));
    }

    #[test]
    fn a_hint_is_read_from_the_error_and_bounded() {
        let hint = |error: serde_json::Value| hint_ms(&error);
        assert_eq!(hint(serde_json::json!({"retry_after_ms": 1500})), 1500);
        assert_eq!(hint(serde_json::json!({"retry_after_ms": u64::MAX})), MAX_RETRY_DELAY_MS);
        assert_eq!(hint(serde_json::json!({"retry_after_ms": "soon"})), 0);
        assert_eq!(hint(serde_json::json!("rate_limited")), 0);
    }

    #[test]
    fn jitter_stays_within_the_factor() {
        let rule = serde_json::json!({"attempts": 1, "multiplier": 1, "seconds": 100, "random_factor": 30});
        let retry = parse(serde_json::json!({"exponential": rule}));
        let spread: std::collections::BTreeSet<u64> =
            (0..200).filter_map(|position| delay_ms(&retry, 0, pseudo_random(1, position))).collect();
        assert!(spread.iter().all(|&delay| (70_000..=130_000).contains(&delay)), "{spread:?}");
        assert!(spread.len() > 20, "{spread:?}");
    }
}

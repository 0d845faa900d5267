//! Durations of declarations, which are given in seconds.

/// Converts seconds to milliseconds; a fraction of a millisecond is dropped.
pub(super) fn to_ms(seconds: f64) -> u64 {
    (seconds * 1000.0) as u64
}

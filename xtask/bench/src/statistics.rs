//! Medians and percentiles of times.

use std::time::Duration;

/// Returns the middle time, or the mean of both middles.
pub(crate) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    let middle = times.len() / 2;
    if times.len() % 2 == 1 { times[middle] } else { (times[middle - 1] + times[middle]) / 2 }
}

/// Returns the smallest time that this percentage of the times does not exceed.
pub(crate) fn percentile(mut times: Vec<Duration>, percent: usize) -> Duration {
    times.sort();
    times[(times.len() * percent).div_ceil(100).max(1) - 1]
}

/// Converts a time to milliseconds.
pub(crate) fn to_ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_median(times: &[u64], expected_us: u64) {
        let times = times.iter().map(|ms| Duration::from_millis(*ms)).collect();
        assert_eq!(median(times), Duration::from_micros(expected_us));
    }

    #[test]
    fn a_percentile_is_the_smallest_that_this_share_does_not_exceed() {
        for (count, expected) in [(1, 1), (20, 19), (100, 95)] {
            let times = (1..=count).rev().map(Duration::from_millis).collect();
            assert_eq!(percentile(times, 95), Duration::from_millis(expected));
        }
    }

    #[test]
    fn the_median_is_the_middle_or_the_mean_of_both_middles() {
        check_median(&[5], 5_000);
        check_median(&[9, 1, 5], 5_000);
        check_median(&[9, 1, 2, 5], 3_500);
    }
}

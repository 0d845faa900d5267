//! Moments as providers write them, without a calendar library.

use crate::ports::Timestamp;

/// A moment and how exactly it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Written {
    /// Milliseconds since the Unix epoch.
    pub(super) ms: i64,
    /// Whether it had a fraction of a second.
    pub(super) exact: bool,
}

/// Reads RFC 3339 (`2026-01-31T12:00:00.123Z`, also with a space for `T`).
pub(super) fn parse_rfc3339(text: &str) -> Option<Written> {
    let Timestamp(ms) = Timestamp::from_rfc3339(text)?;
    Some(Written { ms, exact: text.contains('.') })
}

/// Reads an HTTP date (`Sun, 06 Nov 1994 08:49:37 GMT`), as milliseconds since the Unix epoch.
pub(super) fn parse_http_date(text: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = text.trim().split_once(", ")?;
    let mut words = rest.split(' ');
    let day = number(words.next()?, 2)?;
    let month = words.next()?;
    let month = i64::try_from(MONTHS.iter().position(|name| *name == month)?).ok()? + 1;
    let days = days(number(words.next()?, 4)?, month, day)?;
    let seconds = seconds(words.next()?)?;
    (words.next()? == "GMT").then_some((days * 86_400 + seconds) * 1000)
}

fn seconds(clock: &str) -> Option<i64> {
    let mut parts = clock.split(':');
    let (hours, minutes) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let seconds = number(parts.next()?, 2)?;
    let shaped = parts.next().is_none() && hours < 24 && minutes < 60 && seconds <= 60;
    shaped.then_some(hours * 3600 + minutes * 60 + seconds)
}

fn number(text: &str, digits: usize) -> Option<i64> {
    (text.len() == digits && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar: years are counted from March, so that the leap day
/// comes last.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(0..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::{parse_http_date, parse_rfc3339};

    #[test]
    fn moments_are_read_with_zone_and_fraction() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some((0, false))),
            ("2000-02-29T12:00:00Z", Some((951_825_600_000, false))),
            ("2026-01-31T12:00:00.123456Z", Some((1_769_860_800_123, true))),
            ("2026-01-31T12:00:00.5Z", Some((1_769_860_800_500, true))),
            ("2026-01-31T13:00:00+01:00", Some((1_769_860_800_000, false))),
            ("2026-01-31 06:30:00-05:30", Some((1_769_860_800_000, false))),
            ("1969-12-31T23:59:59Z", Some((-1000, false))),
            ("2026-01-31", None),
            ("2026-13-31T12:00:00Z", None),
            ("2026-01-31T25:00:00Z", None),
            ("2026-01-31T12:00:00", None),
            ("2026-01-31T12:00:00.Z", None),
            ("2026-01-31é12:00:00Z", None),
            ("soon", None),
        ] {
            assert_eq!(parse_rfc3339(text).map(|moment| (moment.ms, moment.exact)), expected, "{text}");
        }
    }

    #[test]
    fn http_dates_are_read() {
        assert_eq!(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000));
        assert_eq!(parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(parse_http_date("tomorrow"), None);
    }
}

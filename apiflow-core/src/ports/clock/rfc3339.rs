//! Formats and parses times as RFC 3339.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::Timestamp;

/// The first millisecond that RFC 3339 can represent: `0000-01-01T00:00:00Z`.
const MIN_MS: i64 = -62_167_219_200_000;
/// The last millisecond that RFC 3339 can represent: `9999-12-31T23:59:59.999Z`.
const MAX_MS: i64 = 253_402_300_799_999;

/// Formats a time in UTC with milliseconds; times outside of the years 0 to 9999 are clamped.
pub(super) fn format_timestamp(moment: Timestamp) -> String {
    let nanoseconds = i128::from(moment.0.clamp(MIN_MS, MAX_MS)) * 1_000_000;
    let at = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).expect("the year is between 0 and 9999");
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second, ms) = at.to_hms_milli();
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z", u8::from(month))
}

/// Parses RFC 3339 with any offset; digits after the milliseconds are dropped.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    // The standard requires a `T`, but providers also write a space. The library accepts any byte.
    if !matches!(text.as_bytes().get(10), Some(b'T' | b't' | b' ')) {
        return None;
    }
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::{Timestamp, format_timestamp, parse};

    fn check(given: &str, ms: Option<i64>) {
        assert_eq!(parse(given), ms.map(Timestamp), "{given}");
    }

    #[test]
    fn text_is_read_with_any_offset_and_refused_where_it_is_no_time() {
        check("1970-01-01T00:00:00Z", Some(0));
        check("2026-11-24T03:55:39.123Z", Some(1_795_492_539_123));
        check("2026-11-24T05:25:39.1234567+01:30", Some(1_795_492_539_123));
        check("2024-02-29T00:00:00Z", Some(1_709_164_800_000));
        check("1969-12-31T23:59:59.5Z", Some(-500));
        check("2023-02-29T00:00:00Z", None);
        check("2026-13-01T00:00:00Z", None);
        check("2026-11-24T25:00:00Z", None);
        check("2026-11-24T03:55:39", None);
        check("2026-11-24", None);
        check("2026-11-24T03:55:39.Z", None);
        check("+026-11-24T03:55:39Z", None);
    }

    #[test]
    fn what_is_written_is_read_back() {
        for ms in (-2_000_000_000_000_i64..4_000_000_000_000).step_by(86_400_000 * 7 + 12_345) {
            let written = format_timestamp(Timestamp(ms));
            check(&written, Some(ms));
        }
    }

    #[test]
    fn moments_outside_the_calendar_are_written_as_its_ends() {
        assert_eq!(format_timestamp(Timestamp(i64::MIN)), "0000-01-01T00:00:00.000Z");
        assert_eq!(format_timestamp(Timestamp(i64::MAX)), "9999-12-31T23:59:59.999Z");
    }
}

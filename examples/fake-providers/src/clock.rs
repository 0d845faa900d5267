//! Timestamps as Replicate writes them: RFC 3339 in UTC with microseconds.

use std::time::{SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Returns the microseconds since 1970; 0 for earlier times.
pub(crate) fn to_micros(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

/// Formats microseconds since 1970.
pub(crate) fn format_timestamp(micros: u64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second, micros) = at.to_hms_micro();
    format!("{year:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z", u8::from(month))
}

/// Parses an RFC 3339 timestamp with any offset, or a date, to microseconds since 1970; `None` if it is neither.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let midnight = if text.len() == 10 { "T00:00:00Z" } else { "" };
    let at = OffsetDateTime::parse(&format!("{text}{midnight}"), &Rfc3339).ok()?;
    u64::try_from(at.unix_timestamp_nanos() / 1000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(micros: u64, text: &str) {
        assert_eq!(format_timestamp(micros), text);
        assert_eq!(parse(text), Some(micros));
    }

    #[test]
    fn the_text_form_and_back() {
        check(0, "1970-01-01T00:00:00.000000Z");
        check(951_782_399_000_001, "2000-02-28T23:59:59.000001Z");
        check(951_782_400_000_000, "2000-02-29T00:00:00.000000Z");
        check(1_692_212_015_447_342, "2023-08-16T18:53:35.447342Z");
        check(4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z");
    }

    #[test]
    fn other_forms_are_read() {
        for same in
            ["2023-08-16T20:53:35.447342+02:00", "2023-08-16T13:23:35.447342-05:30", "2023-08-16 18:53:35.44734200Z"]
        {
            assert_eq!(parse(same), Some(1_692_212_015_447_342), "{same}");
        }
        assert_eq!(parse("2000-02-29"), Some(951_782_400_000_000));
        for wrong in ["", "yesterday", "2023-13-01", "2023-08-16T18:53:35", "2023-08-16T99:00:00Z"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}

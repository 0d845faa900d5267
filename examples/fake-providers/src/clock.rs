//! Points in time as Replicate writes them: RFC 3339 in UTC with microseconds.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY_S: i64 = 86_400;

/// Microseconds since 1970 of a point in time; 0 for earlier ones.
pub(crate) fn to_micros(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}

/// The text form of microseconds since 1970.
pub(crate) fn format_timestamp(micros: u64) -> String {
    let seconds = (micros / 1_000_000) as i64;
    let (year, month, day) = civil_from_days(seconds.div_euclid(DAY_S));
    let of_day = seconds.rem_euclid(DAY_S);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:06}Z", micros % 1_000_000)
}

/// Microseconds since 1970 of an RFC 3339 text with any offset, or of a bare date; `None` if it is neither.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let (date, time) = text.split_once(['T', 't', ' ']).unwrap_or((text, "00:00:00Z"));
    let mut parts = date.split('-').map(str::parse::<i64>);
    let (Some(Ok(year)), Some(Ok(month @ 1..=12)), Some(Ok(day @ 1..=31)), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return None;
    };
    let zone = time.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = time.split_at(zone);
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let seconds = parse_sexagesimal(whole)?;
    let micros = format!("{fraction:0<6}").get(..6)?.parse::<i64>().ok()?;
    let offset = match zone.split_at(1) {
        ("+", at) => parse_sexagesimal(at)? * 60,
        ("-", at) => -parse_sexagesimal(at)? * 60,
        _utc => 0,
    };
    let total = (days_from_civil(year, month, day) * DAY_S + seconds - offset) * 1_000_000 + micros;
    u64::try_from(total).ok()
}

/// `01:02:03` as seconds; `01:02` as minutes.
fn parse_sexagesimal(text: &str) -> Option<i64> {
    text.split(':').try_fold(0, |sum, part| Some(sum * 60 + part.parse::<i64>().ok().filter(|n| (0..=60).contains(n))?))
}

/// Days since 1970 as year, month, day of the Gregorian calendar, counted in years that begin in March.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let march_month = if month > 2 { month - 3 } else { month + 9 };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * march_month + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
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

//! Times as RFC 3339 text.

use super::Timestamp;

const DAY_MS: i64 = 86_400_000;

/// The text of a moment, in UTC with milliseconds.
pub(super) fn text(moment: Timestamp) -> String {
    let (year, month, day) = civil(moment.0.div_euclid(DAY_MS));
    let ms = moment.0.rem_euclid(DAY_MS);
    let (hour, minute, second) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", ms % 1000)
}

/// Reads RFC 3339 text with any offset; digits after the milliseconds are dropped.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    let shaped = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')].iter().all(|(at, byte)| bytes.get(*at) == Some(byte));
    if !shaped || !matches!(bytes.get(10), Some(b'T' | b't' | b' ')) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let days = days(year, month, day);
    if civil(days) != (year, month, day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction_ms, rest) = fraction(text.get(19..)?)?;
    let ms = days * DAY_MS + (hour * 3600 + minute * 60 + second) * 1000 + fraction_ms - offset_ms(rest)?;
    Some(Timestamp(ms))
}

fn fraction(text: &str) -> Option<(i64, &str)> {
    let Some(after) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = after.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(after.len());
    let (digits, rest) = after.split_at(end);
    let first: String = digits.chars().chain("000".chars()).take(3).collect();
    (!digits.is_empty()).then(|| first.parse().ok()).flatten().map(|ms| (ms, rest))
}

fn offset_ms(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let sign = match text.get(..1)? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let two = |part: &str| {
        (part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit())).then(|| part.parse::<i64>().ok()).flatten()
    };
    Some(sign * (two(hours)? * 60 + two(minutes)?) * 60_000)
}

/// Days since the Unix epoch of a day of the Gregorian calendar.
///
/// Source: eras of 400 years (146,097 days) with the year beginning in March, so that a leap day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let written = text(Timestamp(ms));
            check(&written, Some(ms));
        }
    }
}

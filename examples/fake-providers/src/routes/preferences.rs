//! The headers of a create call: how long to wait, and when to cancel.

use std::time::Duration;

use axum::http::HeaderMap;

use crate::problem::Problem;

/// Maximum waiting time of a create, and the default of `Prefer: wait`.
const MAX_WAIT: Duration = Duration::from_mins(1);
/// Minimum of `Cancel-After`.
const MIN_DEADLINE: Duration = Duration::from_secs(5);

/// The caller's `Prefer: wait`.
pub(crate) struct Wait {
    /// The preference as it was sent, for `Preference-Applied`.
    pub(crate) asked: String,
    /// The waiting time.
    pub(crate) limit: Duration,
}

/// Parses `Prefer: wait` or `wait=n` among the preferences; n is limited to 60, and anything else means no wait.
pub(crate) fn read_wait(headers: &HeaderMap) -> Option<Wait> {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let asked =
        values.flat_map(|value| value.split(',')).map(str::trim).find(|preference| preference.starts_with("wait"))?;
    let limit = match asked.split_once('=') {
        None if asked == "wait" => MAX_WAIT,
        Some(("wait", seconds)) => Duration::from_secs(seconds.parse().ok().filter(|seconds| *seconds > 0)?),
        Some(_) | None => return None,
    };
    Some(Wait { asked: asked.to_owned(), limit: limit.min(MAX_WAIT) })
}

/// Parses `Cancel-After: 30`, `30s`, `5m` or `1h30m45s`.
pub(crate) fn read_deadline(headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    let Some(text) = headers.get("cancel-after").and_then(|value| value.to_str().ok()) else {
        return Ok(None);
    };
    let wrong =
        || Problem::malformed_request("Cancel-After must be a duration of at least 5 seconds, such as 30s or 1h30m");
    let (mut total, mut digits) = (0_u64, String::new());
    for letter in text.trim().chars() {
        let unit = match letter {
            '0'..='9' => {
                digits.push(letter);
                continue;
            }
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _other => return Err(wrong()),
        };
        total += std::mem::take(&mut digits).parse::<u32>().map_err(|_| wrong()).map(u64::from)? * unit;
    }
    if !digits.is_empty() {
        total += digits.parse::<u32>().map_err(|_| wrong()).map(u64::from)?;
    }
    let deadline = Duration::from_secs(total);
    if deadline < MIN_DEADLINE { Err(wrong()) } else { Ok(Some(deadline)) }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(name: &'static str, value: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), HeaderValue::from_static(value))])
    }

    #[test]
    fn waits_are_read_and_cut_to_a_minute() {
        let check = |value, expected: Option<u64>| {
            let found = read_wait(&headers("prefer", value)).map(|wait| wait.limit.as_secs());
            assert_eq!(found, expected, "{value}");
        };
        check("wait", Some(60));
        check("wait=7", Some(7));
        check("respond-async, wait=9", Some(9));
        check("wait=99", Some(60));
        check("wait=0", None);
        check("wait=soon", None);
        check("waiting", None);
        check("respond-async", None);
    }

    #[test]
    fn deadlines_are_read_in_each_form() {
        let check = |value, expected: Option<u64>| {
            let found =
                read_deadline(&headers("cancel-after", value)).ok().flatten().map(|deadline| deadline.as_secs());
            assert_eq!(found, expected, "{value}");
        };
        check("30", Some(30));
        check("30s", Some(30));
        check("5m", Some(300));
        check("1h30m45s", Some(5445));
        check("4s", None);
        check("soon", None);
        check("h", None);
        check("99999999999h", None);
    }
}

//! Reads from a reply when the provider may be asked again, in all notations that providers use.
//!
//! Source: RFC 9110 §10.2.3 (`retry-after`); the `ratelimit-reset` of the IETF draft, which Replicate sends; OpenAI's
//! `x-ratelimit-reset-*` durations; ImageKit's `x-ratelimit-reset` in milliseconds; Google's `RetryInfo.retryDelay`;
//! Replicate's "Your rate limit resets in ~30s".

use std::time::UNIX_EPOCH;

use serde_json::Value;

use super::operation_rule::read_path;
use crate::diagnostic::codes;
use crate::json::{Fields, JsonPath};
use crate::ports::HttpReply;

/// Maximum delay in milliseconds; longer hints are cut to it.
const MAX_HINT_MS: f64 = 3_600_000.0;
/// Bytes of a body that are searched for a hint in words.
const MAX_SEARCHED_BYTES: usize = 64 * 1024;
/// Minimum number of seconds that is a Unix time, not a duration.
const LEAST_EPOCH_S: f64 = 1e9;
/// Minimum number of seconds that is really a number of milliseconds: no window is longer than a day.
const LEAST_MS: f64 = 86_400.0;

/// A declared place where replies say when to try again, with its unit.
#[derive(Debug, Clone)]
pub(super) struct DeclaredHint {
    place: HintPlace,
    /// What one unit is, in milliseconds.
    unit_ms: f64,
}

#[derive(Debug, Clone)]
enum HintPlace {
    /// A header, in lower case.
    Header(String),
    Path(JsonPath),
}

impl DeclaredHint {
    /// Parses `{"header": name, "unit": "s" | "ms"}`, or `path` in place of `header`.
    pub(super) fn read(fields: &mut Fields<'_, '_>) -> Option<Self> {
        let header = fields.read_string("header").map(|name| HintPlace::Header(name.to_ascii_lowercase()));
        let path = read_path(fields, "path").map(HintPlace::Path);
        let unit_ms = if fields.read_word("unit", &["s", "ms"]) == Some("ms") { 1.0 } else { 1000.0 };
        if header.is_some() == path.is_some() {
            let message = "`retry_after` needs the name of a `header` or a `path` into the reply, not both";
            fields.note_fault(codes::MISSING_FIELD, "header", message);
        }
        Some(Self { place: header.or(path)?, unit_ms })
    }

    fn read_ms(&self, headers: &[(String, String)], json: Option<&Value>) -> Option<f64> {
        let text = match &self.place {
            HintPlace::Header(name) => header_value(headers, name)?.to_owned(),
            HintPlace::Path(path) => path.find_text(json?)?,
        };
        text.trim().parse::<f64>().ok().map(|number| number * self.unit_ms)
    }
}

/// Returns the delay in milliseconds, at most an hour; `None` if the reply contains no hint. A declared place precedes
/// the usual ones.
pub(super) fn retry_after_ms(reply: &HttpReply, json: Option<&Value>, declared: Option<&DeclaredHint>) -> Option<u64> {
    let ms = declared
        .and_then(|declared| declared.read_ms(&reply.headers, json))
        .or_else(|| hint_of_head(reply.status, &reply.headers))
        .or_else(|| json.and_then(retry_delay))
        .or_else(|| String::from_utf8_lossy(start_of(&reply.body)).lines().find_map(in_text));
    bound_hint(ms?)
}

/// Returns the delay that the head of a reply asks for, in milliseconds, at most an hour.
#[cfg(feature = "runtime")]
pub(crate) fn retry_after_of_head(status: u16, headers: &[(String, String)]) -> Option<u64> {
    bound_hint(hint_of_head(status, headers)?)
}

fn hint_of_head(status: u16, headers: &[(String, String)]) -> Option<f64> {
    let now = header_value(headers, "date").and_then(parse_http_date);
    header_value(headers, "retry-after-ms")
        .and_then(|text| text.trim().parse::<f64>().ok())
        .or_else(|| header_value(headers, "retry-after").and_then(|text| retry_after(text, now)))
        .or_else(|| longest_reset(status, headers, now))
}

fn bound_hint(ms: f64) -> Option<u64> {
    (ms.is_finite() && ms >= 0.0).then_some(ms.min(MAX_HINT_MS) as u64)
}

fn start_of(body: &[u8]) -> &[u8] {
    &body[..body.len().min(MAX_SEARCHED_BYTES)]
}

/// Returns the first header with a name, which is given in lower case.
pub(super) fn first_header<'a>(reply: &'a HttpReply, name: &str) -> Option<&'a str> {
    header_value(&reply.headers, name)
}

/// Returns the value of the first header with a name, which is given in lower case.
pub(super) fn header_value<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

fn retry_after(text: &str, now: Option<i64>) -> Option<f64> {
    match text.trim().parse::<f64>() {
        Ok(seconds) => Some(seconds * 1000.0),
        Err(_) => match parse_http_date(text) {
            Some(moment) => Some((moment - now?).max(0) as f64),
            None => parse_duration_s(text.trim()),
        },
    }
}

/// Returns the longest reset of the limits that are used up; for a 429, of all limits if no header says which one is.
/// Other replies report their limits, too, without asking for a delay.
fn longest_reset(status: u16, headers: &[(String, String)], now: Option<i64>) -> Option<f64> {
    let mut used_up: Option<f64> = None;
    let mut any: Option<f64> = None;
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        let Some(ms) = reset_delay_s(&name, value, now) else { continue };
        any = Some(any.unwrap_or_default().max(ms));
        if header_value(headers, &name.replace("reset", "remaining")).is_some_and(|rest| rest.trim() == "0") {
            used_up = Some(used_up.unwrap_or_default().max(ms));
        }
    }
    used_up.or(any.filter(|_| status == 429))
}

fn reset_delay_s(name: &str, value: &str, now: Option<i64>) -> Option<f64> {
    if !["ratelimit-reset", "x-ratelimit-reset"].contains(&name) && !name.starts_with("x-ratelimit-reset-") {
        return None;
    }
    match value.trim().parse::<f64>() {
        Ok(number) if number >= LEAST_EPOCH_S => {
            let moment = if number >= LEAST_EPOCH_S * 1000.0 { number } else { number * 1000.0 };
            Some((moment - now? as f64).max(0.0))
        }
        Ok(number) if number > LEAST_MS => Some(number),
        Ok(seconds) => Some(seconds * 1000.0),
        Err(_) => parse_duration_s(value.trim()),
    }
}

fn retry_delay(json: &Value) -> Option<f64> {
    let path = JsonPath::parse("error.details[*].retryDelay").expect("the path is well-formed");
    path.find_in(json).into_value()?.as_array()?.first()?.as_str().and_then(parse_duration_s)
}

/// Parses an HTTP date (`Sun, 06 Nov 1994 08:49:37 GMT`) to milliseconds since the Unix epoch.
fn parse_http_date(text: &str) -> Option<i64> {
    let since = httpdate::parse_http_date(text.trim()).ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok()
}

/// Parses `6m0s`, `1.5s`, `120ms` or `1h` to seconds.
fn parse_duration_s(text: &str) -> Option<f64> {
    let mut rest = text;
    let mut ms = 0.0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let number: f64 = rest[..end].parse().ok()?;
        rest = &rest[end..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        ms += number * unit_ms(&rest[..end])?;
        rest = &rest[end..];
    }
    (!text.is_empty()).then_some(ms)
}

fn unit_ms(unit: &str) -> Option<f64> {
    match unit.to_ascii_lowercase().as_str() {
        "ms" | "milliseconds" => Some(1.0),
        "s" | "sec" | "secs" | "second" | "seconds" => Some(1000.0),
        "m" | "min" | "mins" | "minute" | "minutes" => Some(60_000.0),
        "h" | "hour" | "hours" => Some(3_600_000.0),
        _ => None,
    }
}

/// Parses `… in ~30s` or `… in 1.5 seconds`: the first number with a unit of time after the word `in` or `after`.
fn in_text(line: &str) -> Option<f64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    words.iter().enumerate().filter(|(_, word)| ["in", "after"].contains(word)).find_map(|(at, _)| {
        let plain = |word: &str| word.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned();
        let number = plain(words.get(at + 1)?);
        let unit = words.get(at + 2).map(|word| plain(word)).unwrap_or_default();
        parse_duration_s(&number).or_else(|| parse_duration_s(&format!("{number}{unit}")))
    })
}

#[cfg(test)]
mod tests {
    use super::{parse_http_date, retry_after_ms};
    use crate::ports::{HttpReply, MemoryHold};

    fn check(headers: &[(&str, &str)], body: &str, expected: Option<u64>) {
        check_status(429, headers, body, expected);
    }

    fn check_status(status: u16, headers: &[(&str, &str)], body: &str, expected: Option<u64>) {
        let reply = HttpReply {
            status,
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: body.as_bytes().to_vec(),
            url: "https://h/".to_owned(),
            memory: MemoryHold::default(),
        };
        let json = serde_json::from_str(body).ok();
        assert_eq!(retry_after_ms(&reply, json.as_ref(), None), expected, "{headers:?} {body}");
    }

    #[test]
    fn every_form_of_hint_is_understood() {
        let date = ("date", "Sat, 31 Jan 2026 12:00:00 GMT");
        check(&[("retry-after", "3")], "", Some(3000));
        check(&[("retry-after-ms", "250"), ("retry-after", "3")], "", Some(250));
        check(&[("retry-after", "Sat, 31 Jan 2026 12:00:10 GMT"), date], "", Some(10_000));
        check(&[("retry-after", "Sat, 31 Jan 2026 12:00:10 GMT")], "", None);
        check(&[("Retry-After", " 1.5 ")], "", Some(1500));
        check(&[("retry-after", "30s")], "", Some(30_000));
        check(&[("retry-after", "Sat, 31 Jan 2026 11:00:00 GMT"), date], "", Some(0));
        check(&[("ratelimit-reset", "12")], "", Some(12_000));
        check(&[("RateLimit-Reset", "12"), ("ratelimit-remaining", "3")], "", Some(12_000));
        check(&[("x-ratelimit-reset", "1769860830")], "", None);
        check(&[("x-ratelimit-reset", "1769860830"), date], "", Some(30_000));
        check(&[("x-ratelimit-reset", "1769860830000"), date], "", Some(30_000));
        check(&[("x-ratelimit-reset", "90000")], "", Some(90_000));
        check(&[("x-ratelimit-reset-requests", "1s"), ("x-ratelimit-reset-tokens", "1m0s")], "", Some(60_000));
        check(
            &[
                ("x-ratelimit-reset-requests", "120ms"),
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-tokens", "6m0s"),
                ("x-ratelimit-remaining-tokens", "900"),
            ],
            "",
            Some(120),
        );
        check(&[], r#"{"detail":"Request was throttled. Your rate limit resets in ~30s."}"#, Some(30_000));
        check(&[], "Please try again in 1.5 seconds.", Some(1500));
        check(&[], "Retry after 2 minutes", Some(120_000));
        check(&[], "too fast\ntry again in 1m30s.", Some(90_000));
        check(&[], r#"{"error":{"details":[{"@type":"x"},{"retryDelay":"7s"}]}}"#, Some(7000));
    }

    #[test]
    fn limits_that_are_not_used_up_ask_for_no_wait() {
        check_status(503, &[("ratelimit-reset", "30"), ("ratelimit-remaining", "2900")], "", None);
        check_status(503, &[("ratelimit-reset", "30"), ("ratelimit-remaining", "0")], "", Some(30_000));
        check_status(503, &[("ratelimit-reset", "30"), ("retry-after", "2")], "", Some(2000));
    }

    #[test]
    fn nonsense_is_no_hint_and_long_hints_are_bounded() {
        check(&[], "", None);
        check(&[("retry-after", "soon, 2abc")], "slow down", None);
        check(&[("retry-after", "soon")], "made in Germany in 3 parts", None);
        check(&[("retry-after", "-5")], "", None);
        check(&[("retry-after", "NaN")], "", None);
        check(&[("retry-after", "99999999")], "", Some(3_600_000));
    }

    #[test]
    fn http_dates_are_read() {
        assert_eq!(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000));
        assert_eq!(parse_http_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(parse_http_date("tomorrow"), None);
    }
}

//! The list of predictions, newest first, in pages with cursors.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, RawQuery};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Authorised, Shared, host};
use crate::clock;
use crate::problem::Problem;

/// Query parameters of the list.
#[derive(Deserialize)]
pub(crate) struct Filter {
    cursor: Option<String>,
    created_after: Option<String>,
    created_before: Option<String>,
    source: Option<String>,
}

/// Start of a page: the predictions older or newer than the one with this number.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cursor {
    OlderThan(usize),
    NewerThan(usize),
}

/// `GET /v1/predictions`: a page of predictions, newest first.
pub(crate) async fn list(
    shared: Shared,
    _authorised: Authorised,
    filter: Result<Query<Filter>, QueryRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if let Some(failure) = shared.write(|memory| memory.behaviour.plan_list()) {
        return Ok(failure.into_response());
    }
    let Query(filter) = filter.map_err(|error| Problem::malformed_request(&error.body_text()))?;
    let decode = |text| Cursor::decode_cursor(text).ok_or_else(|| Problem::malformed_request("Invalid cursor"));
    let cursor = filter.cursor.as_deref().map(decode).transpose()?;
    let (after, before) =
        (parse_instant(filter.created_after.as_deref())?, parse_instant(filter.created_before.as_deref())?);
    let from_web = filter.source.as_deref() == Some("web");
    let (now, host) = (shared.running_time(), host(&headers));
    let (page, older, newer) = shared.read(|memory| {
        let matching = memory.predictions.iter().enumerate().filter(|(_, (_, prediction))| {
            let created = prediction.created_us;
            !from_web && after.is_none_or(|after| created >= after) && before.is_none_or(|before| created < before)
        });
        let numbers: Vec<usize> = matching.map(|(number, _)| number).rev().collect();
        let (range, older, newer) = select_page(&numbers, cursor, memory.behaviour.page_size);
        let show = |number: &usize| {
            let (at, prediction) = &memory.predictions[*number];
            let mut object = prediction.to_json_retained(now.saturating_sub(*at), &host);
            if let Value::Object(fields) = &mut object {
                // Only the list omits them.
                fields.shift_remove("logs");
            }
            object
        };
        (range.iter().map(show).collect::<Value>(), older, newer)
    });
    let link = |cursor: Option<Cursor>| cursor.map(|cursor| build_link(&host, query.as_deref(), cursor));
    Ok(Json(json!({"previous": link(newer), "next": link(older), "results": page})).into_response())
}

/// Returns the part of `numbers` (newest first) that a cursor refers to, and the cursors on both sides of it.
fn select_page(numbers: &[usize], cursor: Option<Cursor>, size: usize) -> (&[usize], Option<Cursor>, Option<Cursor>) {
    let size = size.max(1);
    let start = match cursor {
        None => 0,
        Some(Cursor::OlderThan(number)) => numbers.partition_point(|other| *other >= number),
        Some(Cursor::NewerThan(number)) => numbers.partition_point(|other| *other > number).saturating_sub(size),
    };
    let range = &numbers[start..(start + size).min(numbers.len())];
    let older = range.last().filter(|_| start + range.len() < numbers.len()).map(|last| Cursor::OlderThan(*last));
    let newer = range.first().filter(|_| start > 0).map(|first| Cursor::NewerThan(*first));
    (range, older, newer)
}

/// Returns the link to another page of the same query.
fn build_link(host: &str, query: Option<&str>, cursor: Cursor) -> String {
    let rest = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("cursor="));
    let query: Vec<String> = rest.map(str::to_owned).chain([format!("cursor={}", cursor.encode_cursor())]).collect();
    format!("http://{host}/v1/predictions?{}", query.join("&"))
}

fn parse_instant(text: Option<&str>) -> Result<Option<u64>, Problem> {
    let parse =
        |text| clock::parse(text).ok_or_else(|| Problem::malformed_request("A point in time must be in RFC 3339 form"));
    text.map(parse).transpose()
}

impl Cursor {
    fn encode_cursor(self) -> String {
        URL_SAFE_NO_PAD.encode(match self {
            Self::OlderThan(number) => format!("o={number}"),
            Self::NewerThan(number) => format!("n={number}"),
        })
    }

    fn decode_cursor(text: &str) -> Option<Self> {
        let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        match plain.split_once('=')? {
            ("o", number) => number.parse().ok().map(Self::OlderThan),
            ("n", number) => number.parse().ok().map(Self::NewerThan),
            _other => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cursor: Option<Cursor>, expected: &[usize], older: Option<Cursor>, newer: Option<Cursor>) {
        assert_eq!(select_page(&[9, 7, 5, 3, 1], cursor, 2), (expected, older, newer), "{cursor:?}");
    }

    #[test]
    fn pages_join_without_gap_in_both_directions() {
        use Cursor::{NewerThan, OlderThan};
        check(None, &[9, 7], Some(OlderThan(7)), None);
        check(Some(OlderThan(7)), &[5, 3], Some(OlderThan(3)), Some(NewerThan(5)));
        check(Some(OlderThan(3)), &[1], None, Some(NewerThan(1)));
        check(Some(OlderThan(1)), &[], None, None);
        check(Some(NewerThan(1)), &[5, 3], Some(OlderThan(3)), Some(NewerThan(5)));
        check(Some(NewerThan(5)), &[9, 7], Some(OlderThan(7)), None);
    }

    #[test]
    fn cursors_come_back_as_they_went() {
        for cursor in [Cursor::OlderThan(12), Cursor::NewerThan(0)] {
            assert_eq!(Cursor::decode_cursor(&cursor.encode_cursor()), Some(cursor));
        }
        assert_eq!(Cursor::decode_cursor("bm9uZQ"), None);
    }

    #[test]
    fn a_link_keeps_the_question() {
        let link = build_link("h", Some("cursor=old&source=api"), Cursor::OlderThan(1));
        assert_eq!(link, "http://h/v1/predictions?source=api&cursor=bz0x");
    }
}

//! Range and conditional requests. Source: RFC 9110, sections 13 and 14.

use std::ops::Range;

use axum::http::{HeaderMap, HeaderName, header};

/// What a request gets of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// The whole file: 200.
    Whole,
    /// A part of it: 206.
    Part(Range<u64>),
    /// Nothing, because the caller has it: 304.
    NotModified,
    /// Nothing, because the range is outside of the file: 416.
    OutOfRange,
}

/// Returns what a request gets of a file with this entity tag. Several ranges in one request are not supported: as the
/// standard allows, the whole file is sent.
pub(crate) fn select_bytes(headers: &HeaderMap, etag: &str, size: u64) -> Selection {
    if header_text(headers, &header::IF_NONE_MATCH).is_some_and(|tags| names_tag(tags, etag)) {
        return Selection::NotModified;
    }
    let Some(range) = header_text(headers, &header::RANGE) else { return Selection::Whole };
    // A part is only of use for the file that the caller has the rest of.
    if header_text(headers, &header::IF_RANGE).is_some_and(|tag| tag != etag) {
        return Selection::Whole;
    }
    let Some((start, end)) = range.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-')) else {
        return Selection::Whole;
    };
    match (parse_position(start), parse_position(end)) {
        (Ok(Some(start)), Ok(end)) if end.is_none_or(|end| start <= end) => {
            let end = end.map_or(size, |end| end.saturating_add(1).min(size));
            if start < size { Selection::Part(start..end) } else { Selection::OutOfRange }
        }
        (Ok(None), Ok(Some(length))) => {
            if length > 0 && size > 0 {
                Selection::Part(size.saturating_sub(length)..size)
            } else {
                Selection::OutOfRange
            }
        }
        (Ok(_) | Err(()), _) => Selection::Whole,
    }
}

/// Parses a position; nothing is none.
fn parse_position(text: &str) -> Result<Option<u64>, ()> {
    match text.trim() {
        "" => Ok(None),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Some(digits.parse().unwrap_or(u64::MAX))),
        _ => Err(()),
    }
}

fn names_tag(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

fn header_text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn check(headers: &[(HeaderName, &str)], size: u64, expected: Selection) {
        let map: HeaderMap = headers
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_str(value).expect("a header's value")))
            .collect();
        assert_eq!(select_bytes(&map, "\"tag\"", size), expected, "{headers:?} of {size}");
    }

    #[test]
    fn a_range_selects_a_part() {
        for (range, size, expected) in [
            ("bytes=0-0", 10, Selection::Part(0..1)),
            ("bytes=2-5", 10, Selection::Part(2..6)),
            ("bytes=2-", 10, Selection::Part(2..10)),
            ("bytes=2-99999999999999999999999", 10, Selection::Part(2..10)),
            ("bytes=-3", 10, Selection::Part(7..10)),
            ("bytes=-30", 10, Selection::Part(0..10)),
            ("bytes=10-", 10, Selection::OutOfRange),
            ("bytes=99999999999999999999999-", 10, Selection::OutOfRange),
            ("bytes=-0", 10, Selection::OutOfRange),
            ("bytes=0-", 0, Selection::OutOfRange),
            ("bytes=5-2", 10, Selection::Whole),
            ("bytes=0-1,3-4", 10, Selection::Whole),
            ("bytes=-", 10, Selection::Whole),
            ("bytes=a-b", 10, Selection::Whole),
            ("items=0-1", 10, Selection::Whole),
        ] {
            check(&[(header::RANGE, range)], size, expected);
        }
        check(&[], 10, Selection::Whole);
    }

    #[test]
    fn conditions_come_first() {
        let range = (header::RANGE, "bytes=0-0");
        check(&[range.clone(), (header::IF_RANGE, "\"tag\"")], 10, Selection::Part(0..1));
        check(&[range.clone(), (header::IF_RANGE, "\"other\"")], 10, Selection::Whole);
        check(&[range.clone(), (header::IF_RANGE, "W/\"tag\"")], 10, Selection::Whole);
        for tags in ["\"tag\"", "W/\"tag\"", "\"a\", \"tag\"", "*"] {
            check(&[range.clone(), (header::IF_NONE_MATCH, tags)], 10, Selection::NotModified);
        }
        check(&[(header::IF_NONE_MATCH, "\"other\"")], 10, Selection::Whole);
    }
}

//! Patterns of paths in the scopes of tokens.
//!
//! Providers differ in how they read a path: escaped slashes, parameters after `;`, several rounds of escapes. A request is
//! permitted only if a pattern matches each of these readings.

use percent_encoding::percent_decode_str;

/// Maximum length of a pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 256;

/// Stands for any further segments, or none, as the last segment of a pattern.
const ANY_SEGMENTS: &str = "**";

/// Maximum number of times that a path may be escaped.
const MAX_ESCAPE_ROUNDS: usize = 4;

/// All ways in which a provider may read a path, as decoded segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PathReadings(Vec<Vec<String>>);

impl PathReadings {
    /// Reads a path as it is sent, without a leading slash.
    ///
    /// # Errors
    /// The reason, if readings would differ in more than escapes: empty segments, dot segments, backslashes, and escaped `?`
    /// or `#`; or if the escapes are no UTF-8.
    pub(super) fn of_path(path: &str) -> Result<Self, &'static str> {
        let mut readings = Vec::new();
        let mut text = path.strip_suffix('/').unwrap_or(path).to_owned();
        for _ in 0..MAX_ESCAPE_ROUNDS {
            let segments: Vec<String> = match text.as_str() {
                "" => Vec::new(),
                text => text.split('/').map(decode).collect::<Result<_, _>>()?,
            };
            for segment in &segments {
                check_segment(segment)?;
            }
            let without_parameters = segments.iter().map(|segment| cut_parameters(segment).to_owned()).collect();
            for reading in [segments, without_parameters] {
                if !readings.contains(&reading) {
                    readings.push(reading);
                }
            }
            let decoded = decode(&text)?;
            if decoded == text {
                return Ok(Self(readings));
            }
            text = decoded;
        }
        Err("it is escaped too often")
    }

    /// Whether a predicate is true of each reading.
    pub(super) fn all(&self, predicate: impl Fn(&[String]) -> bool) -> bool {
        self.0.iter().all(|segments| predicate(segments))
    }
}

fn decode(text: &str) -> Result<String, &'static str> {
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err("its escapes are no UTF-8"),
    }
}

fn check_segment(segment: &str) -> Result<(), &'static str> {
    if cut_parameters(segment).is_empty() {
        return Err("it has empty segments");
    }
    // A slash in a segment was escaped: the next round reads it as one.
    if segment.split('/').any(|part| matches!(cut_parameters(part), "." | "..")) {
        return Err("it has `.` or `..` segments");
    }
    if segment.contains(['?', '#', '\\']) || segment.chars().any(char::is_control) {
        return Err("it has escaped `?`, `#`, backslashes or control characters");
    }
    Ok(())
}

/// Returns a segment without its parameters: `a;b=c` is `a`.
fn cut_parameters(segment: &str) -> &str {
    segment.split(';').next().unwrap_or_default()
}

/// Validates a pattern.
///
/// # Errors
/// The reason why it is none.
pub(super) fn check_pattern(pattern: &str) -> Result<(), String> {
    if pattern.is_empty() || pattern.len() > MAX_PATTERN_BYTES {
        return Err(format!("a path must have 1 to {MAX_PATTERN_BYTES} bytes; `**` permits all paths"));
    }
    if pattern.contains(['%', '?', '#', '\\', ';']) || pattern.chars().any(char::is_control) {
        return Err("write the path as it is after decoding, without escapes, `;`, `?`, `#` and backslashes".to_owned());
    }
    let segments: Vec<&str> = pattern.split('/').collect();
    if segments.iter().any(|segment| matches!(*segment, "" | "." | "..")) {
        return Err("leave out leading, trailing and double slashes, and `.` and `..` segments".to_owned());
    }
    let (last, before) = segments.split_last().unwrap_or((&"", &[]));
    if before.iter().any(|segment| segment.contains(ANY_SEGMENTS)) || (last.contains("**") && *last != ANY_SEGMENTS) {
        return Err("`**` must be the whole last segment; `*` stands for characters of one segment".to_owned());
    }
    Ok(())
}

/// Whether a valid pattern matches the segments of a path.
pub(super) fn matches_pattern(pattern: &str, segments: &[String]) -> bool {
    let mut wanted: Vec<&str> = pattern.split('/').collect();
    let is_open = wanted.last() == Some(&ANY_SEGMENTS);
    if is_open {
        wanted.pop();
    }
    let has_length = if is_open { segments.len() >= wanted.len() } else { segments.len() == wanted.len() };
    has_length && wanted.iter().zip(segments).all(|(wanted, segment)| matches_segment(wanted, segment))
}

/// Whether a segment of a pattern matches one of a path: `*` stands for any characters but slashes.
fn matches_segment(wanted: &str, segment: &str) -> bool {
    let Some((start, rest)) = wanted.split_once('*') else { return wanted == segment };
    let Some(mut left) = segment.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once('*').map_or((None, rest), |(middle, end)| (Some(middle), end));
    let Some(inner) = left.strip_suffix(end) else { return false };
    left = inner;
    let parts = middle.into_iter().flat_map(|middle| middle.split('*'));
    parts.filter(|part| !part.is_empty()).all(|part| match left.split_once(part) {
        Some((_, after)) => {
            left = after;
            true
        }
        None => false,
    })
}

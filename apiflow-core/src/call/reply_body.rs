//! The body of a reply, parsed once.

use serde_json::Value;

use super::reply_media::Marker;
use crate::ports::HttpReply;

/// Maximum length of the excerpt of a reply in an error, in characters.
const MAX_EXCERPT_CHARS: usize = 2000;
/// Maximum length of a run without spaces in an excerpt, in characters: longer ones are media or keys and are cut.
const MAX_EXCERPT_RUN_CHARS: usize = 400;
/// Length to which such a run is cut, in characters.
const MAX_EXCERPT_RUN_START_CHARS: usize = 80;

/// Maximum length of a run of base64 in the record of a reply that contains media, in characters.
#[cfg(feature = "runtime")]
const MAX_BASE64_RUN_CHARS: usize = 200;
/// Length to which such a run is cut, in characters.
#[cfg(feature = "runtime")]
const MAX_BASE64_START_CHARS: usize = 16;

/// The parsed body of a reply. Strings borrow from the reply, so that a large one is not copied.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body<'r> {
    /// JSON, and the text that it was parsed from.
    Json(Value, &'r str),
    /// UTF-8 text that is not JSON.
    Text(&'r str),
    /// Binary data, with its size in bytes.
    Bytes(usize),
    /// A marker: the body is media that was taken out of the reply while it arrived.
    Media(&'r str),
    /// An empty body.
    Empty,
}

impl<'r> Body<'r> {
    /// Parses a body: as JSON if possible, whatever the content type says, because providers get that wrong. A leading
    /// byte order mark is skipped.
    pub(super) fn read(reply: &'r HttpReply) -> Self {
        match std::str::from_utf8(without_byte_order_mark(&reply.body)) {
            Err(_) => Self::Bytes(reply.body.len()),
            Ok(text) if text.trim().is_empty() => Self::Empty,
            Ok(text) if Marker::parse(text).is_some() => Self::Media(text),
            Ok(text) => match serde_json::from_str(text) {
                Ok(json) => Self::Json(json, text),
                Err(_) => Self::Text(text),
            },
        }
    }

    /// Returns the JSON, if the body is JSON.
    pub(super) fn json(&self) -> Option<&Value> {
        match self {
            Self::Json(json, _) => Some(json),
            Self::Text(_) | Self::Bytes(_) | Self::Media(_) | Self::Empty => None,
        }
    }

    /// Describes the kind of body for a message.
    pub(super) fn describe_kind(&self) -> String {
        match self {
            Self::Json(json, _) => crate::json::describe_with_length(json),
            Self::Text(_) => "text, not JSON".to_owned(),
            Self::Bytes(size) => format!("{size} bytes of binary data"),
            Self::Media(marker) => {
                let size = Marker::parse(marker).map_or(0, |marker| marker.size);
                format!("{size} bytes of binary data")
            }
            Self::Empty => "empty".to_owned(),
        }
    }

    /// Returns the beginning of the text, without media.
    pub(super) fn text_excerpt(&self) -> Option<String> {
        match self {
            Self::Json(_, text) | Self::Text(text) => Some(shorten_text(text)),
            Self::Bytes(_) | Self::Media(_) => Some(format!("({})", self.describe_kind())),
            Self::Empty => None,
        }
    }
}

/// Removes a leading UTF-8 byte order mark.
///
/// Source: RFC 8259 §8.1 permits parsers of JSON to ignore it.
pub fn without_byte_order_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes)
}

/// Cuts runs of base64 in a text; each cut says how much is missing.
#[cfg(feature = "runtime")]
pub(crate) fn cut_base64_runs(text: &str) -> String {
    let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/=-_\\".contains(c);
    let mut shown = String::with_capacity(text.len());
    for word in text.split_inclusive(|c: char| !is_base64(c)) {
        let length = word.chars().count();
        if length > MAX_BASE64_RUN_CHARS {
            shown.extend(word.chars().take(MAX_BASE64_START_CHARS));
            shown.extend(["… (", &(length - MAX_BASE64_START_CHARS).to_string(), " more characters)"]);
        } else {
            shown.push_str(word);
        }
    }
    shown
}

/// Cuts a text to [`MAX_EXCERPT_CHARS`]; each cut says how much is missing.
pub(super) fn shorten_text(text: &str) -> String {
    let text = text.trim();
    let mut left = text.chars().count();
    let mut room = MAX_EXCERPT_CHARS;
    let mut shown = String::new();
    for word in text.split_inclusive(|c: char| c.is_whitespace() || "\",".contains(c)) {
        let length = word.chars().count();
        let kept = if length > MAX_EXCERPT_RUN_CHARS { MAX_EXCERPT_RUN_START_CHARS } else { length };
        if kept > room {
            shown.extend(["… (", &left.to_string(), " more characters)"]);
            break;
        }
        shown.extend(word.chars().take(kept));
        if kept < length {
            shown.extend(["… (", &(length - kept).to_string(), " more characters)"]);
        }
        room -= kept;
        left -= length;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::shorten_text;

    #[test]
    fn excerpts_are_bounded_and_say_what_is_left_out() {
        assert_eq!(shorten_text(" {\"detail\": \"no\"}\n"), "{\"detail\": \"no\"}");
        let media = format!("{{\"b64\": \"{}\"}}", "A".repeat(10_000));
        let shown = shorten_text(&media);
        assert!(shown.len() < 200 && shown.contains("more characters") && shown.ends_with('}'), "{shown}");
        for long in ["word ".repeat(1000), format!("{} ", "A".repeat(500)).repeat(1000)] {
            let shown = shorten_text(&long);
            assert!(shown.chars().count() < 3000 && shown.contains("more characters"), "{shown}");
        }
    }
}

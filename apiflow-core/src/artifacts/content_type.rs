//! Recognizes what a file contains by its first bytes.

use crate::ports::ArtifactError;
use crate::value_type::ValueType;

/// MIME type of content that is neither recognized nor declared.
const UNKNOWN: &str = "application/octet-stream";

/// Number of first bytes in which the root element of an SVG document is looked for.
const SVG_SEARCH_BYTES: usize = 4096;

/// Returns the MIME type of a content, and refuses one that is not of the wanted type. What the bytes show counts more
/// than what was declared.
pub(super) fn check_content(
    head: &[u8],
    size_bytes: u64,
    wanted: ValueType,
    declared: Option<&str>,
) -> Result<String, ArtifactError> {
    let declared = declared.and_then(parse_mime);
    let wrong = |found: &str| ArtifactError::WrongType { wanted: wanted.name().to_owned(), found: found.to_owned() };
    let kind = match wanted {
        ValueType::Image => "image",
        ValueType::Video => "video",
        ValueType::Audio => "audio",
        ValueType::File
        | ValueType::String
        | ValueType::Number
        | ValueType::Integer
        | ValueType::Boolean
        | ValueType::Object
        | ValueType::Array => {
            return Ok(recognize_content(head)
                .map(|found| refine_container(found, None, declared.as_deref()))
                .or_else(|| declared.filter(|declared| !is_active_content(declared) || is_text(head)))
                .unwrap_or_else(|| if is_text(head) && size_bytes > 0 { "text/plain" } else { UNKNOWN }.to_owned()));
        }
    };
    if size_bytes == 0 {
        return Err(wrong("empty"));
    }
    let found = recognize_content(head).map(|found| refine_container(found, Some(kind), declared.as_deref()));
    match found {
        Some(found) if kind_of(&found) == kind => Ok(found),
        Some(found) => Err(wrong(&found)),
        None if is_text(head) => Err(wrong(declared.as_deref().filter(|mime| kind_of(mime) != kind).unwrap_or("text"))),
        None => Ok(declared.filter(|declared| kind_of(declared) == kind).unwrap_or_else(|| UNKNOWN.to_owned())),
    }
}

fn kind_of(mime: &str) -> &str {
    mime.split('/').next().unwrap_or_default()
}

/// Returns a MIME type without its parameters, in lower case; `None` if it is none.
fn parse_mime(text: &str) -> Option<String> {
    let mime = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_token = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    let (kind, subtype) = mime.split_once('/')?;
    (mime.len() <= 100 && is_token(kind) && is_token(subtype)).then_some(mime)
}

/// Returns the MIME type that the first bytes show.
fn recognize_content(head: &[u8]) -> Option<String> {
    if is_svg(head) {
        return Some("image/svg+xml".to_owned());
    }
    let found = infer::get(head)?.mime_type();
    Some(
        match found {
            "audio/x-wav" => "audio/wav",
            "audio/m4a" => "audio/mp4",
            "audio/x-flac" => "audio/flac",
            other => other,
        }
        .to_owned(),
    )
}

/// Containers for audio and video are recognized as one of the two; what is wanted or declared says which it is.
fn refine_container(found: String, wanted: Option<&str>, declared: Option<&str>) -> String {
    let Some((kind @ ("audio" | "video"), subtype @ ("mp4" | "webm" | "ogg"))) = found.split_once('/') else {
        return found;
    };
    let kind =
        wanted.or_else(|| declared.map(kind_of).filter(|kind| matches!(*kind, "audio" | "video"))).unwrap_or(kind);
    if matches!(kind, "audio" | "video") { format!("{kind}/{subtype}") } else { found }
}

/// Whether a browser may run scripts of such a content.
fn is_active_content(mime: &str) -> bool {
    mime.contains("html") || mime.contains("xml") || mime.contains("script")
}

fn is_text(head: &[u8]) -> bool {
    let text = match std::str::from_utf8(head) {
        Ok(_) => head,
        // A character may be cut at the end.
        Err(error) if error.error_len().is_none() => &head[..error.valid_up_to()],
        Err(_) => return false,
    };
    !text.iter().any(|byte| matches!(byte, 0..=8 | 14..=26 | 28..=31))
}

/// Whether the first element of a text is `<svg>`, after a declaration, comments and a document type.
fn is_svg(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&head[..head.len().min(SVG_SEARCH_BYTES)]);
    let mut rest = text.trim_start_matches('\u{feff}').trim_start();
    loop {
        let end = match rest {
            _ if rest.starts_with("<?") => "?>",
            _ if rest.starts_with("<!--") => "-->",
            _ if rest.starts_with("<!") => ">",
            _ => break,
        };
        let Some(at) = rest.find(end) else { return false };
        rest = rest[at + end.len()..].trim_start();
    }
    let name = rest.strip_prefix('<').and_then(|rest| rest.split([' ', '\t', '\n', '\r', '>', '/']).next());
    name.is_some_and(|name| name == "svg" || name.ends_with(":svg"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x02\0\0\0\x03\x08\x06\0\0\0";
    const MP4: &[u8] = b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2";

    fn check(head: &[u8], wanted: ValueType, declared: Option<&str>, expected: Result<&str, &str>) {
        let found = check_content(head, head.len() as u64, wanted, declared).map_err(|error| error.to_string());
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{declared:?}");
    }

    #[test]
    fn the_bytes_count_more_than_the_declaration() {
        check(PNG, ValueType::Image, Some("image/jpeg"), Ok("image/png"));
        check(PNG, ValueType::File, Some("text/html"), Ok("image/png"));
        check(PNG, ValueType::Video, None, Err("the content is image/png, not a video"));
        check(
            b"<!DOCTYPE html><p>",
            ValueType::Image,
            Some("image/png"),
            Err("the content is text/html, not an image"),
        );
        check(b"{\"error\": 1}", ValueType::Image, Some("image/png"), Err("the content is text, not an image"));
        check(
            b"{}",
            ValueType::Audio,
            Some("application/json"),
            Err("the content is application/json, not an audio file"),
        );
        check(b"", ValueType::Image, None, Err("the content is empty, not an image"));
    }

    #[test]
    fn unknown_content_has_the_type_that_was_declared() {
        check(b"\x01\x02\x03\xff", ValueType::Audio, Some("audio/pcm; rate=24000"), Ok("audio/pcm"));
        check(b"\x01\x02\x03\xff", ValueType::Image, Some("text/html"), Ok(UNKNOWN));
        check(b"\x01\x02\x03\xff", ValueType::File, Some("text/html"), Ok(UNKNOWN));
        check(b"hello", ValueType::File, None, Ok("text/plain"));
        check(b"{}", ValueType::File, Some("Application/JSON"), Ok("application/json"));
        check(b"", ValueType::File, Some("not a type"), Ok(UNKNOWN));
        check(b"a\r\nb", ValueType::File, Some("text/plain\r\nx: y"), Ok("text/plain"));
    }

    #[test]
    fn a_container_is_what_it_was_asked_for() {
        check(MP4, ValueType::Video, None, Ok("video/mp4"));
        check(MP4, ValueType::Audio, Some("audio/mp4"), Ok("audio/mp4"));
        check(MP4, ValueType::File, Some("audio/mp4"), Ok("audio/mp4"));
        check(b"OggS\0\x02", ValueType::Audio, None, Ok("audio/ogg"));
    }

    #[test]
    fn a_drawing_is_recognized_behind_its_prologue() {
        let svg =
            b"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- a > b -->\n<!DOCTYPE svg>\n<svg xmlns=\"x\"><script/></svg>";
        check(svg, ValueType::Image, Some("image/png"), Ok("image/svg+xml"));
        check(b"<svg>", ValueType::File, Some("text/plain"), Ok("image/svg+xml"));
        check(b"<svga>", ValueType::File, Some("text/plain"), Ok("text/plain"));
    }
}

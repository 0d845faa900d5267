//! Headers of a served artifact: what it is, and that it may do nothing.

use apiflow_core::artifact::file_extension;
use apiflow_core::ports::ArtifactRow;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Content security policy of artifacts: no scripts, an origin of their own, nothing from elsewhere. Players of browsers
/// need styles and the media itself.
const SANDBOX: &str =
    "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'";

/// MIME types that browsers show as what they are, without running anything.
const SHOWN_TYPES: [&str; 19] = [
    "audio/aac",
    "audio/flac",
    "audio/mp4",
    "audio/mpeg",
    "audio/ogg",
    "audio/wav",
    "audio/webm",
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/jpeg",
    "image/jxl",
    "image/png",
    "image/webp",
    "text/plain",
    "video/mp4",
    "video/ogg",
    "video/quicktime",
    "video/webm",
];

/// Characters that need no encoding in a file name. Source: RFC 8187, `attr-char`.
const FILE_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Longest file name, in characters.
const MAX_NAME_CHARS: usize = 200;

/// Returns the entity tag of an artifact.
pub(crate) fn etag_of(row: &ArtifactRow) -> String {
    format!("\"{}\"", row.blob.sha256)
}

/// Returns the headers of a reply with an artifact, except those of its length.
pub(crate) fn content_headers(row: &ArtifactRow, is_download: bool, is_signed: bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mime = HeaderValue::from_str(&row.mime);
    headers.insert(header::CONTENT_TYPE, mime.unwrap_or(HeaderValue::from_static("application/octet-stream")));
    let is_shown = SHOWN_TYPES.contains(&row.mime.as_str()) && !is_download;
    let disposition = disposition_of(&file_name(row), is_shown);
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    if let Ok(etag) = HeaderValue::from_str(&etag_of(row)) {
        headers.insert(header::ETAG, etag);
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // A browser asks again each time, so that nobody sees it from the cache after logging out.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let embedders = if is_signed { "cross-origin" } else { "same-origin" };
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static(embedders));
    headers
}

/// Returns the name of the file, or one made of the id and the type.
fn file_name(row: &ArtifactRow) -> String {
    if let Some(name) = &row.name {
        return name.clone();
    }
    format!("{}.{}", row.id, file_extension(&row.mime).unwrap_or("bin"))
}

/// Source: RFC 6266, with a name in ASCII for old clients.
fn disposition_of(name: &str, is_shown: bool) -> String {
    let kind = if is_shown { "inline" } else { "attachment" };
    let plain: String = name
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() || " -._()".contains(letter) { letter } else { '_' })
        .collect();
    let encoded = utf8_percent_encode(name, FILE_NAME);
    if plain == name {
        format!("{kind}; filename=\"{plain}\"")
    } else {
        format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
    }
}

/// Returns a file name without folders and control characters; `None` if nothing is left.
pub(crate) fn clean_name(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let visible: String = last.chars().filter(|letter| !letter.is_control()).take(MAX_NAME_CHARS).collect();
    let visible = visible.trim();
    let is_name = !visible.is_empty() && !visible.bytes().all(|byte| byte == b'.');
    is_name.then(|| visible.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_for_all_clients() {
        for (name, expected) in [
            ("fox.png", "inline; filename=\"fox.png\""),
            ("a\"b;c.png", "inline; filename=\"a_b_c.png\"; filename*=UTF-8''a%22b%3Bc.png"),
            ("füchse.png", "inline; filename=\"f_chse.png\"; filename*=UTF-8''f%C3%BCchse.png"),
        ] {
            assert_eq!(disposition_of(name, true), expected);
        }
    }

    #[test]
    fn names_have_no_folders() {
        for (name, expected) in [
            ("../../etc/passwd", Some("passwd")),
            ("C:\\Windows\\win.ini", Some("win.ini")),
            ("a\r\nb\0.png", Some("ab.png")),
            ("..", None),
            ("x/", None),
            ("", None),
            ("\u{202e}gpj.exe", Some("\u{202e}gpj.exe")),
        ] {
            assert_eq!(clean_name(name).as_deref(), expected, "{name:?}");
        }
    }
}

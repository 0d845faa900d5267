//! Media inside replies: taken out of the bytes while they arrive, so that no base64 ever becomes a value.
//!
//! Architecture invariant: what is taken out is replaced by a marker, a short string that contains a random number of
//! this reply. A provider that writes a marker of its own only causes an error.

mod base64_decoder;
#[cfg(feature = "runtime")]
mod event_stream;
#[cfg(feature = "runtime")]
mod json_filter;
#[cfg(feature = "runtime")]
mod multipart;
#[cfg(feature = "runtime")]
mod reply_parts;

#[cfg(feature = "runtime")]
pub(crate) use event_stream::EventStreamFilter;
#[cfg(feature = "runtime")]
pub(crate) use json_filter::JsonFilter;
#[cfg(feature = "runtime")]
pub(crate) use multipart::MultipartFilter;
#[cfg(feature = "runtime")]
pub(crate) use reply_parts::ReplyParts;

/// Maximum size of a string in a reply's JSON that is not taken out even if it is base64, in bytes.
pub(crate) const MAX_INLINE_MEDIA_BYTES: usize = 8 * 1024;

/// How a marker begins: `<media 0, 1024 bytes, 0123…>`.
const MARKER_START: &str = "<media ";

/// A string that stands for a part in the text of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marker<'a> {
    index: usize,
    /// Size of the part, in bytes.
    pub(crate) size: usize,
    nonce: &'a str,
}

impl<'a> Marker<'a> {
    /// Parses a marker. Whether a part belongs to it is known to the list of parts alone.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let mut words = text.strip_prefix(MARKER_START)?.strip_suffix('>')?.split(", ");
        let index = words.next()?.parse().ok()?;
        let size = words.next()?.strip_suffix(" bytes")?.parse().ok()?;
        let nonce =
            words.next().filter(|nonce| nonce.len() >= 16 && nonce.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        words.next().is_none().then_some(Self { index, size, nonce })
    }
}

/// Splits a data URI into its MIME type, whether it is base64, and its content (RFC 2397).
pub(crate) fn split_data_uri(text: &str) -> Option<(Option<&str>, bool, &str)> {
    let (head, content) = text.strip_prefix("data:")?.split_once(',')?;
    let (head, is_base64) = match head.rsplit_once(';') {
        Some((head, last)) if last.trim().eq_ignore_ascii_case("base64") => (head, true),
        Some(_) | None => (head, false),
    };
    let mime = head.split(';').next().map(str::trim).filter(|mime| mime.contains('/'));
    Some((mime, is_base64, content))
}

/// Decodes base64 of either alphabet, with or without padding; white space is skipped.
///
/// # Errors
/// What is wrong with the text.
pub(crate) fn decode_base64(text: &str) -> Result<Vec<u8>, &'static str> {
    let mut decoder = base64_decoder::Base64Decoder::default();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 3);
    decoder.decode_into(text.as_bytes(), &mut bytes)?;
    decoder.finish(&mut bytes)?;
    Ok(bytes)
}

/// Decodes the content of a data URI; also returns its MIME type.
///
/// # Errors
/// What is wrong with the URI.
pub(crate) fn decode_data_uri(text: &str) -> Result<(Option<String>, Vec<u8>), &'static str> {
    let (mime, is_base64, content) = split_data_uri(text).ok_or("it is not a data URI")?;
    let content = percent_encoding::percent_decode_str(content);
    let bytes = if is_base64 {
        let text = content.decode_utf8().map_err(|_| "the base64 of the data URI is not valid")?;
        decode_base64(&text)?
    } else {
        content.collect()
    };
    Ok((mime.map(str::to_owned), bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_uris_are_decoded() {
        for (uri, expected) in [
            ("data:image/png;base64,aGk=", Ok((Some("image/png".to_owned()), b"hi".to_vec()))),
            ("data:image/png;name=a.png;base64,aGk", Ok((Some("image/png".to_owned()), b"hi".to_vec()))),
            ("data:image/svg+xml,%3Csvg/%3E", Ok((Some("image/svg+xml".to_owned()), b"<svg/>".to_vec()))),
            ("data:;base64,aG%6b", Ok((None, b"hi".to_vec()))),
            ("data:,hi", Ok((None, b"hi".to_vec()))),
            ("data:image/png;base64", Err("it is not a data URI")),
            ("data:image/png;base64,a", Err("the base64 is cut off")),
        ] {
            let decoded = decode_data_uri(uri);
            match (&decoded, &expected) {
                (Ok((mime, _)), Ok((wanted, _))) if uri.contains("%6b") => assert_eq!(mime, wanted),
                (_, _) => assert_eq!(decoded, expected, "{uri}"),
            }
        }
    }
}

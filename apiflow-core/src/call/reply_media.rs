//! Media inside replies: taken out of the bytes while they arrive, so that no base64 ever becomes a value.
//!
//! Architecture invariant: what is taken out is replaced by a marker, a short string that contains a random number of
//! this reply. A provider that writes a marker of its own only causes an error.

mod base64_decoder;
mod event_stream;
mod json_filter;
mod multipart;

pub(crate) use event_stream::EventStreamFilter;
pub(crate) use json_filter::JsonFilter;
pub(crate) use multipart::MultipartFilter;

/// Maximum size of a string in a reply's JSON that is not taken out even if it is base64, in bytes.
pub(crate) const MAX_INLINE_MEDIA_BYTES: usize = 8 * 1024;

/// What was taken out of one reply. The bytes of all parts are one sequence, of which each part is a range.
#[derive(Debug)]
pub(crate) struct ReplyParts {
    nonce: String,
    parts: Vec<ReplyPart>,
    /// Bytes that were decoded since [`ReplyParts::take_bytes`].
    fresh: Vec<u8>,
    /// Number of all decoded bytes.
    total: u64,
}

/// One part that was taken out of a reply.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ReplyPart {
    /// Position of its first byte in the sequence.
    pub(crate) start: u64,
    /// Size, in bytes.
    pub(crate) size: u64,
    /// MIME type that the reply states.
    pub(crate) mime: Option<String>,
    /// File name that the reply states.
    pub(crate) name: Option<String>,
    /// Why the part cannot be used, if it cannot.
    pub(crate) fault: Option<String>,
}

impl ReplyParts {
    /// Creates an empty list; `nonce` is a random word of hexadecimal digits that no provider can know.
    pub(crate) fn new(nonce: String) -> Self {
        Self { nonce, parts: Vec::new(), fresh: Vec::new(), total: 0 }
    }

    /// Creates an empty list for the same reply.
    pub(crate) fn restarted(&self) -> Self {
        Self::new(self.nonce.clone())
    }

    /// Returns the number of parts.
    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Returns the size of all parts together, in bytes.
    pub(crate) fn total_bytes(&self) -> u64 {
        self.total
    }

    /// Begins a part.
    pub(crate) fn begin_part(&mut self, mime: Option<String>, name: Option<String>) {
        self.parts.push(ReplyPart { start: self.total, mime, name, ..ReplyPart::default() });
    }

    /// Appends bytes to the current part.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        self.fresh.extend_from_slice(bytes);
        self.total += bytes.len() as u64;
    }

    /// Says why the current part cannot be used.
    pub(crate) fn fail_part(&mut self, fault: &str) {
        if let Some(part) = self.parts.last_mut() {
            part.fault.get_or_insert_with(|| fault.to_owned());
        }
    }

    /// Ends the current part, and returns the marker that replaces it.
    pub(crate) fn end_part(&mut self) -> String {
        let index = self.parts.len().saturating_sub(1);
        let size = self.parts.last().map_or(0, |part| self.total - part.start);
        if let Some(part) = self.parts.last_mut() {
            part.size = size;
        }
        format!("{MARKER_START}{index}, {size} bytes, {}>", self.nonce)
    }

    /// Returns the bytes that were decoded since the last time.
    pub(crate) fn take_bytes(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.fresh)
    }

    /// Finds the part that a marker replaces; `None` if the marker is not one of this reply.
    pub(crate) fn part_at(&self, marker: &str) -> Option<&ReplyPart> {
        let marker = Marker::parse(marker)?;
        (marker.nonce == self.nonce).then(|| self.parts.get(marker.index)).flatten()
    }
}

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
    /// Parses a marker. Whether a part belongs to it is known to [`ReplyParts::part_at`] alone.
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

    const NONCE: &str = "0123456789abcdef";

    #[test]
    fn a_marker_leads_to_its_part_and_a_forged_one_to_none() {
        let mut parts = ReplyParts::new(NONCE.to_owned());
        parts.begin_part(Some("image/png".to_owned()), None);
        parts.push_bytes(b"abc");
        let first = parts.end_part();
        parts.begin_part(None, None);
        parts.push_bytes(b"defg");
        let second = parts.end_part();
        assert_eq!((parts.take_bytes(), parts.total_bytes()), (b"abcdefg".to_vec(), 7));
        assert_eq!(parts.part_at(&first).map(|part| (part.start, part.size)), Some((0, 3)));
        assert_eq!(parts.part_at(&second).map(|part| (part.start, part.size)), Some((3, 4)));
        assert_eq!(Marker::parse(&second).map(|marker| marker.size), Some(4));
        for forged in [
            format!("<media 0, 3 bytes, {}>", "f".repeat(16)),
            format!("<media 2, 3 bytes, {NONCE}>"),
            format!("<media 0, 3 bytes, {NONCE}, 1>"),
            "<media 0, 3 bytes, >".to_owned(),
            "<media>".to_owned(),
        ] {
            assert_eq!(parts.part_at(&forged), None, "{forged}");
        }
    }

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

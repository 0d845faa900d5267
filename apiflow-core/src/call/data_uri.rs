//! Data URIs (RFC 2397).

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use percent_encoding::percent_decode_str;

/// Decodes base64 with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Parses a data URI: its MIME type, if it states one, and its bytes; `None` if the text is not a valid data URI.
pub(crate) fn read_data_uri(uri: &str) -> Option<(Option<String>, Vec<u8>)> {
    let (head, data) = uri.strip_prefix("data:")?.split_once(',')?;
    let (kind, is_base64) = match head.strip_suffix(";base64") {
        Some(kind) => (kind, true),
        None => (head, false),
    };
    let bytes: Vec<u8> = percent_decode_str(data).collect();
    let bytes = if is_base64 { BASE64.decode(bytes).ok()? } else { bytes };
    let mime = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    Some(((!mime.is_empty()).then_some(mime), bytes))
}

#[cfg(test)]
mod tests {
    use super::read_data_uri;

    #[test]
    fn data_uris_are_read_in_both_encodings() {
        for (uri, expected) in [
            ("data:image/png;base64,aGk=", Some((Some("image/png"), "hi"))),
            ("data:image/png;name=x;base64,aGk", Some((Some("image/png"), "hi"))),
            ("data:,a%20b", Some((None, "a b"))),
            ("data:Text/Plain;charset=utf-8,x", Some((Some("text/plain"), "x"))),
            ("data:image/png;base64,*", None),
            ("data:image/png", None),
            ("https://example.com/a.png", None),
        ] {
            let expected = expected.map(|(mime, text)| (mime.map(str::to_owned), text.as_bytes().to_vec()));
            assert_eq!(read_data_uri(uri), expected, "{uri}");
        }
    }
}

//! Values of media outputs: where in a reply their bytes are.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::reply_media::{Marker, decode_base64, decode_data_uri, split_data_uri};
use crate::url;

/// How a provider writes the value of an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decode {
    /// A link, absolute or relative to the URL of the reply.
    Url,
    /// A data URI.
    DataUri,
    /// Base64 without a header.
    Base64,
    /// The text is the content.
    Text,
}

/// How the base64 of common media begins: PNG, JPEG, GIF, RIFF (WebP, WAV), MP4, ID3, Ogg, FLAC, Matroska, PDF, ZIP.
///
/// Source: the signatures of these formats. An MP4 file begins with the size of its first box, which is small.
const SIGNATURES: [&str; 11] =
    ["iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "AAAA", "SUQz", "T2dnUw", "ZkxhQ", "GkXfo", "JVBERi", "UEsDB"];

impl Decode {
    /// Parses the value of `decode`.
    pub(super) fn parse(word: &str) -> Option<Self> {
        match word {
            "url" => Some(Self::Url),
            "data_uri" => Some(Self::DataUri),
            "base64" => Some(Self::Base64),
            "text" => Some(Self::Text),
            _ => None,
        }
    }

    /// Converts the value of a string output to text.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub(super) fn to_text(self, value: &str) -> Result<String, String> {
        let bytes = match self {
            Self::Url | Self::Text => return Ok(value.to_owned()),
            Self::DataUri => decode_data_uri(value)?.1,
            Self::Base64 => decode_base64(value)?,
        };
        String::from_utf8(bytes).map_err(|_| "the decoded value is not text: declare the output as a `file`".to_owned())
    }
}

/// Returns where the bytes of a media output are, as a [`super::MediaLink`] says it: an http or https link, a data URI,
/// or a marker. `mime` is the type that the output declares, and `base` the URL that relative links refer to.
///
/// # Errors
/// What the value is instead.
pub(super) fn locate_media(
    value: &str,
    decode: Option<Decode>,
    mime: Option<&str>,
    base: &str,
) -> Result<String, String> {
    let is_marker = Marker::parse(value).is_some();
    let is_data_uri = value.starts_with("data:");
    let is_link = value.starts_with("http://") || value.starts_with("https://");
    match decode {
        Some(Decode::Text) if is_marker => Err("the text is base64: set `decode` to `base64`".to_owned()),
        Some(Decode::Text) => Ok(to_data_uri(mime.unwrap_or("text/plain;charset=utf-8"), value.as_bytes())),
        _ if is_marker => Ok(value.to_owned()),
        Some(Decode::Url) | None if is_link => resolve_link(value, base),
        Some(Decode::Url | Decode::DataUri | Decode::Base64) | None if is_data_uri => {
            split_data_uri(value).map(|_| value.to_owned()).ok_or_else(|| "it is not a valid data URI".to_owned())
        }
        Some(Decode::Url) => resolve_link(value, base),
        Some(Decode::DataUri) => Err("the value is not a data URI".to_owned()),
        Some(Decode::Base64) => Ok(to_data_uri(mime.unwrap_or_default(), &decode_base64(value)?)),
        None => match decode_base64(value) {
            Ok(bytes) if SIGNATURES.iter().any(|start| value.starts_with(start)) => {
                Ok(to_data_uri(mime.unwrap_or_default(), &bytes))
            }
            Ok(_) | Err(_) if ["/", "./", "../"].iter().any(|start| value.starts_with(start)) => {
                resolve_link(value, base)
            }
            Ok(_) | Err(_) => Err("the value is not an http, https or data URL; set `decode` to `url` if it is a \
                                   relative link, or to `base64` if it is base64"
                .to_owned()),
        },
    }
}

/// Returns whether the bytes are in the reply itself: in a data URI or in place of a marker.
pub(crate) fn is_in_reply(link: &str) -> bool {
    link.starts_with("data:") || Marker::parse(link.split('\n').next().unwrap_or_default()).is_some()
}

fn resolve_link(link: &str, base: &str) -> Result<String, String> {
    url::join_url(base, link).ok_or_else(|| "the value is not a valid link".to_owned())
}

fn to_data_uri(mime: &str, bytes: &[u8]) -> String {
    format!("data:{mime};base64,{}", STANDARD.encode(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "https://api.example.com/v1/jobs/7";
    const MARKER: &str = "<media 0, 5 bytes, 0123456789abcdef>";

    #[test]
    fn every_form_of_media_is_located() {
        use Decode::{Base64, DataUri, Text, Url};
        let png = "data:image/png;base64,iVBORw0KGgo=";
        for (value, decode, expected) in [
            ("https://cdn.example.com/a.png", None, Some("https://cdn.example.com/a.png")),
            ("https://cdn.example.com/a.png", Some(Url), Some("https://cdn.example.com/a.png")),
            ("/files/a.png?x=1", None, Some("https://api.example.com/files/a.png?x=1")),
            ("./a.png", None, Some("https://api.example.com/v1/jobs/a.png")),
            ("a.png", Some(Url), Some("https://api.example.com/v1/jobs/a.png")),
            ("a.png", None, None),
            (png, None, Some(png)),
            (png, Some(DataUri), Some(png)),
            (png, Some(Base64), Some(png)),
            ("iVBORw0KGgo=", None, Some(png)),
            ("iVBORw0KGgo", Some(Base64), Some(png)),
            ("aGk", Some(Base64), Some("data:image/png;base64,aGk=")),
            ("aGk", None, None),
            ("a*", Some(Base64), None),
            ("aGk", Some(DataUri), None),
            ("hi", Some(Text), Some("data:image/png;base64,aGk=")),
            (MARKER, None, Some(MARKER)),
            (MARKER, Some(Base64), Some(MARKER)),
            (MARKER, Some(DataUri), Some(MARKER)),
            (MARKER, Some(Text), None),
            ("file:///etc/passwd", Some(Url), None),
            ("ftp://example.com/a", None, None),
        ] {
            let found = locate_media(value, decode, Some("image/png"), BASE);
            assert_eq!(found.as_ref().map(String::as_str).ok(), expected, "{value} {decode:?}: {found:?}");
        }
    }

    #[test]
    fn text_is_decoded_as_declared() {
        for (decode, value, expected) in [
            (Decode::Text, "hi", Ok("hi")),
            (Decode::Base64, "aGk=", Ok("hi")),
            (Decode::DataUri, "data:text/plain;base64,aGk=", Ok("hi")),
            (Decode::Base64, "/////w==", Err("the decoded value is not text: declare the output as a `file`")),
        ] {
            assert_eq!(decode.to_text(value), expected.map(str::to_owned).map_err(str::to_owned), "{value}");
        }
    }
}

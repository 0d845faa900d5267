//! Writes secrets and media into a request immediately before it is sent.

use std::collections::BTreeMap;

use super::expand::percent_encode;
use super::resolve_body::{BodySegment, MediaEncoding, SegmentList};
use crate::ports::{HttpRequest, MediaForm, MediaUse, RequestBody, SecretPlace, SentMedia, split_reference};

/// A request with its secrets. Exists only while it is being sent and is not `Debug`, so that it cannot be printed.
pub struct Resolved {
    /// Absolute http or https URL, including secrets.
    pub url: String,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// The body; `None` if the request has none.
    pub body: Option<Vec<BodySegment>>,
}

impl Resolved {
    /// Returns a body without media; `None` if there is no body, or media in it.
    pub fn body_text(&self) -> Option<&str> {
        match self.body.as_deref()? {
            [] => Some(""),
            [BodySegment::Text(text)] => Some(text),
            _ => None,
        }
    }
}

/// Why secrets or media could not be written into a request; names the secret, but does not contain its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// There is no secret with this name.
    #[error("there is no secret `{0}`")]
    Unknown(String),
    /// The value contains characters that are not allowed in a header.
    #[error("secret `{0}` contains a line break or another control character, so it cannot be sent in a header")]
    Control(String),
    /// A file stands where only text can.
    #[error("{0} cannot be written into a URL or a header, except as a link")]
    MediaInHead(String),
    /// A file has not been uploaded yet.
    #[error("{0} has not been uploaded to the provider yet")]
    NotUploaded(String),
}

/// What replaces a marker.
#[derive(Clone)]
pub(super) enum Replacement<'a> {
    Text(String),
    Media { prefix: String, media: &'a SentMedia, encoding: MediaEncoding },
}

type Markers<'a> = Vec<(&'a str, Replacement<'a>)>;

/// Replaces markers by secrets and media, escaped as each location requires, in one pass: inserted values are not
/// scanned again.
pub fn resolve_secrets(request: &HttpRequest, values: &BTreeMap<String, String>) -> Result<Resolved, ResolveError> {
    let mut url = Vec::new();
    let mut header = Vec::new();
    let mut body: Markers<'_> = Vec::new();
    for secret in &request.secrets {
        let name = || split_reference(&secret.name).1.to_owned();
        let value = values.get(&secret.name).ok_or_else(|| ResolveError::Unknown(name()))?;
        let marker = secret.marker.as_str();
        if secret.place == SecretPlace::Header && value.chars().any(|c| c.is_control() && c != '\t') {
            return Err(ResolveError::Control(name()));
        }
        let escaped = escape_text(value, secret.place);
        match secret.place {
            SecretPlace::Header => header.push((marker, escaped)),
            SecretPlace::Url => {
                url.push((marker, escaped.clone()));
                body.push((marker, Replacement::Text(escaped)));
            }
            SecretPlace::Json | SecretPlace::Raw => body.push((marker, Replacement::Text(escaped))),
        }
    }
    for used in &request.media {
        let marker = used.marker.as_str();
        let replacement = media_replacement(used)?;
        let in_head = request.url.contains(marker) || used.place == SecretPlace::Header;
        match (&replacement, used.place) {
            (Replacement::Text(text), SecretPlace::Header) => header.push((marker, text.clone())),
            (Replacement::Text(text), SecretPlace::Url) => url.push((marker, text.clone())),
            (Replacement::Media { .. }, _) if in_head => {
                return Err(ResolveError::MediaInHead(used.media.describe()));
            }
            (Replacement::Text(_) | Replacement::Media { .. }, _) => {}
        }
        body.push((marker, replacement));
    }
    Ok(Resolved {
        url: replace_markers(&request.url, &url),
        headers: request.headers.iter().map(|(name, value)| (name.clone(), replace_markers(value, &header))).collect(),
        body: resolve_body(&request.body, &body),
    })
}

fn resolve_body(body: &RequestBody, markers: &Markers<'_>) -> Option<Vec<BodySegment>> {
    let mut segments = SegmentList::default();
    match body {
        RequestBody::None => return None,
        RequestBody::Text(text) => segments.push_marked_text(text, markers),
        RequestBody::Media(media) => segments.push_media(media, MediaEncoding::Raw),
        RequestBody::Multipart { boundary, parts } => segments.push_multipart(boundary, parts, markers),
    }
    Some(segments.into_segments())
}

/// Returns what is written in place of a file.
fn media_replacement(used: &MediaUse) -> Result<Replacement<'_>, ResolveError> {
    let MediaUse { media, form, place, .. } = used;
    let encoding = match place {
        SecretPlace::Url => MediaEncoding::PercentEncodedBase64,
        SecretPlace::Header | SecretPlace::Json | SecretPlace::Raw => MediaEncoding::Base64,
    };
    Ok(match form {
        MediaForm::Url(text) | MediaForm::Uploaded(text) => Replacement::Text(escape_text(text, *place)),
        MediaForm::DataUri => {
            let prefix = escape_text(&format!("data:{};base64,", plain_mime(media.mime())), *place);
            Replacement::Media { prefix, media, encoding }
        }
        MediaForm::Base64 => Replacement::Media { prefix: String::new(), media, encoding },
        MediaForm::Upload => return Err(ResolveError::NotUploaded(media.describe())),
    })
}

/// Returns a MIME type without parameters and without characters that are not allowed in one.
fn plain_mime(mime: &str) -> String {
    let essence = mime.split(';').next().unwrap_or_default().trim();
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || "/!#$&^_.+-".contains(c);
    if essence.is_empty() || !essence.chars().all(is_allowed) {
        return "application/octet-stream".to_owned();
    }
    essence.to_owned()
}

fn escape_text(text: &str, place: SecretPlace) -> String {
    match place {
        SecretPlace::Header | SecretPlace::Raw => text.to_owned(),
        SecretPlace::Url => percent_encode(text),
        SecretPlace::Json => json_escape(text),
    }
}

/// Finds the first marker in a text: its position, the marker, and what replaces it.
pub(super) fn find_marker<'a, T>(text: &str, markers: &'a [(&'a str, T)]) -> Option<(usize, &'a str, &'a T)> {
    markers
        .iter()
        .filter(|(marker, _)| !marker.is_empty())
        .filter_map(|(marker, value)| Some((text.find(marker)?, *marker, value)))
        .min_by_key(|(at, _, _)| *at)
}

/// Replaces every marker in one pass over the text.
pub(super) fn replace_markers(text: &str, markers: &[(&str, String)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((at, marker, value)) = find_marker(rest, markers) {
        out.push_str(&rest[..at]);
        out.push_str(value);
        rest = &rest[at + marker.len()..];
    }
    out.push_str(rest);
    out
}

fn json_escape(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

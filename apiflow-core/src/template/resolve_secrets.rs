//! Writes secrets into a request immediately before it is sent.

use std::collections::BTreeMap;

use super::expand::percent_encode;
use crate::ports::{HttpRequest, RequestBody, SecretPlace, split_reference};

/// A request with its secrets. Exists only while it is being sent and is not `Debug`, so that it cannot be printed.
pub struct Resolved {
    /// Absolute http or https URL, including secrets.
    pub url: String,
    /// Headers in order.
    pub headers: Vec<(String, String)>,
    /// The body; `None` if the request has none.
    pub body: Option<String>,
}

/// Why secrets could not be written into a request; names the secret, but does not contain its value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// There is no secret with this name.
    #[error("there is no secret `{0}`")]
    Unknown(String),
    /// The value contains characters that are not allowed in a header.
    #[error("secret `{0}` contains a line break or another control character, so it cannot be sent in a header")]
    Control(String),
}

/// Replaces markers by secrets, escaped as each location requires, in one pass: inserted values are not scanned again.
pub fn resolve_secrets(request: &HttpRequest, values: &BTreeMap<String, String>) -> Result<Resolved, ResolveError> {
    let mut url = Vec::new();
    let mut header = Vec::new();
    let mut body = Vec::new();
    for secret in &request.secrets {
        let name = || split_reference(&secret.name).1.to_owned();
        let value = values.get(&secret.name).ok_or_else(|| ResolveError::Unknown(name()))?;
        let marker = secret.marker.as_str();
        match secret.place {
            SecretPlace::Header if value.chars().any(|c| c.is_control() && c != '\t') => {
                return Err(ResolveError::Control(name()));
            }
            SecretPlace::Header => header.push((marker, value.clone())),
            SecretPlace::Url => {
                url.push((marker, percent_encode(value)));
                body.push((marker, percent_encode(value)));
            }
            SecretPlace::Json => body.push((marker, json_escape(value))),
            SecretPlace::Raw => body.push((marker, value.clone())),
        }
    }
    Ok(Resolved {
        url: replace_markers(&request.url, &url),
        headers: request.headers.iter().map(|(name, value)| (name.clone(), replace_markers(value, &header))).collect(),
        body: match &request.body {
            RequestBody::None => None,
            RequestBody::Text(text) => Some(replace_markers(text, &body)),
        },
    })
}

/// Replaces every marker in one pass over the text.
pub(super) fn replace_markers(text: &str, markers: &[(&str, String)]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        let first = markers
            .iter()
            .filter(|(marker, _)| !marker.is_empty())
            .filter_map(|(marker, value)| Some((rest.find(marker)?, *marker, value)))
            .min_by_key(|(at, _, _)| *at);
        let Some((at, marker, value)) = first else {
            out.push_str(rest);
            return out;
        };
        out.push_str(&rest[..at]);
        out.push_str(value);
        rest = &rest[at + marker.len()..];
    }
}

fn json_escape(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

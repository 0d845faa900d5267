//! Writing secrets into a request at the last moment, and taking them out of whatever comes back.

use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::policy::Target;
use crate::ports::{HttpError, HttpRequest, Secret, Secrets};
use crate::template::{self, ResolveError, Resolved};

/// All but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Values shorter than this are not searched for in replies: they would be found by chance.
const SHORTEST_MASKED_BYTES: usize = 8;

/// The secrets of one request. Has no `Debug`, so that no value is printed.
pub(super) struct Filling {
    secrets: Vec<Filled>,
}

struct Filled {
    marker: String,
    name: String,
    secret: Secret,
}

impl Filling {
    /// Looks up the secrets that a request names and checks that each may go to its target.
    pub(super) async fn of(request: &HttpRequest, target: &Target, secrets: &dyn Secrets) -> Result<Self, HttpError> {
        let mut filled = Vec::new();
        for secret_use in &request.secrets {
            let name = &secret_use.name;
            let secret = secrets
                .get(name)
                .await
                .map_err(|error| HttpError::Secret(format!("secret `{name}` can't be read: {error}")))?
                .ok_or_else(|| {
                    HttpError::Secret(format!(
                        "secret `{name}` is not set: add it or list it in APIFLOW_SECRETS_FROM_ENV"
                    ))
                })?;
            if !permits(&secret, target, &request.credential_hosts) {
                let host = &target.host;
                return Err(HttpError::Secret(format!(
                    "secret `{name}` may not be sent to `{host}`: add this host to its hosts"
                )));
            }
            filled.push(Filled { marker: secret_use.marker.clone(), name: name.clone(), secret });
        }
        Ok(Self { secrets: filled })
    }

    /// Whether the text holds a marker.
    pub(super) fn touches(&self, text: &str) -> bool {
        self.secrets.iter().any(|filled| text.contains(&filled.marker))
    }

    /// Whether every secret in the text may go to `target`.
    pub(super) fn permits(&self, text: &str, target: &Target, credential_hosts: &[String]) -> bool {
        let mut used = self.secrets.iter().filter(|filled| text.contains(&filled.marker));
        used.all(|filled| permits(&filled.secret, target, credential_hosts))
    }

    /// The request with values in place of markers.
    pub(super) fn fill(&self, request: &HttpRequest) -> Result<Resolved, HttpError> {
        let values = self.secrets.iter().map(|filled| (filled.name.clone(), filled.secret.value.clone()));
        let values: BTreeMap<_, _> = values.collect();
        template::resolve(request, &values).map_err(|error: ResolveError| HttpError::Secret(error.to_string()))
    }

    /// The text with names in place of values, however these are written.
    pub(super) fn mask(&self, text: String) -> String {
        self.needles().fold(text, |text, (needle, name)| {
            if text.contains(&needle) { text.replace(&needle, &format!("${name}")) } else { text }
        })
    }

    /// Bytes of a reply with names in place of values: a provider that echoes what it was sent must not carry a
    /// secret into results and logs.
    pub(super) fn mask_bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        self.needles()
            .filter(|(needle, _)| needle.len() >= SHORTEST_MASKED_BYTES)
            .fold(bytes, |bytes, (needle, name)| replace(bytes, needle.as_bytes(), format!("${name}").as_bytes()))
    }

    /// All forms in which a value may come back, with its name.
    fn needles(&self) -> impl Iterator<Item = (String, &str)> {
        let filled = self.secrets.iter().filter(|filled| !filled.secret.value.is_empty());
        filled.flat_map(|filled| forms(&filled.secret.value).into_iter().map(|form| (form, filled.name.as_str())))
    }
}

/// A secret goes to its own hosts; one without hosts goes to those that the request names.
fn permits(secret: &Secret, target: &Target, credential_hosts: &[String]) -> bool {
    let hosts = if secret.hosts.is_empty() { credential_hosts } else { &secret.hosts };
    hosts.iter().any(|host| target.is(host))
}

/// A value as it is, percent-encoded, and as the inside of a JSON string.
fn forms(value: &str) -> Vec<String> {
    let quoted = serde_json::Value::from(value).to_string();
    let encoded = utf8_percent_encode(value, RESERVED).to_string();
    let mut forms = vec![value.to_owned(), encoded, quoted[1..quoted.len() - 1].to_owned()];
    forms.dedup();
    forms
}

fn replace(bytes: Vec<u8>, needle: &[u8], replacement: &[u8]) -> Vec<u8> {
    let mut written = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some(at) = rest.windows(needle.len()).position(|window| window == needle) {
        written.extend_from_slice(&rest[..at]);
        written.extend_from_slice(replacement);
        rest = &rest[at + needle.len()..];
    }
    if written.is_empty() && rest.len() == bytes.len() {
        return bytes;
    }
    written.extend_from_slice(rest);
    written
}

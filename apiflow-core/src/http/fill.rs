//! Writing secrets into a request at the last moment, and taking them out of whatever comes back.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::policy::Target;
use crate::ports::{HttpError, HttpRequest, Secret, SecretPlace, Secrets};

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
    place: SecretPlace,
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
            filled.push(Filled {
                marker: secret_use.marker.clone(),
                name: name.clone(),
                place: secret_use.place,
                secret,
            });
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

    /// The text with values in place of markers. Values are not searched for further markers.
    pub(super) fn fill(&self, text: &str) -> String {
        let mut rest = text;
        let mut written = String::with_capacity(text.len());
        while let Some((at, filled)) = self.first_in(rest) {
            written.push_str(&rest[..at]);
            written.push_str(&write(&filled.secret.value, filled.place));
            rest = &rest[at + filled.marker.len()..];
        }
        written.push_str(rest);
        written
    }

    fn first_in(&self, text: &str) -> Option<(usize, &Filled)> {
        let found = self.secrets.iter().filter(|filled| !filled.marker.is_empty());
        found.filter_map(|filled| Some((text.find(&filled.marker)?, filled))).min_by_key(|(at, _)| *at)
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

    fn needles(&self) -> impl Iterator<Item = (String, &str)> {
        let filled = self.secrets.iter().filter(|filled| !filled.secret.value.is_empty());
        filled.flat_map(|filled| {
            let mut forms = [SecretPlace::Raw, SecretPlace::Url, SecretPlace::Json]
                .map(|form| write(&filled.secret.value, form))
                .to_vec();
            forms.dedup();
            forms.into_iter().map(|form| (form, filled.name.as_str()))
        })
    }
}

/// A secret goes to its own hosts; one without hosts goes to those that the request names.
fn permits(secret: &Secret, target: &Target, credential_hosts: &[String]) -> bool {
    let hosts = if secret.hosts.is_empty() { credential_hosts } else { &secret.hosts };
    hosts.iter().any(|host| target.is(host))
}

fn write(value: &str, place: SecretPlace) -> String {
    match place {
        SecretPlace::Header | SecretPlace::Raw => value.to_owned(),
        SecretPlace::Url => utf8_percent_encode(value, RESERVED).to_string(),
        SecretPlace::Json => {
            let quoted = serde_json::Value::from(value).to_string();
            quoted[1..quoted.len() - 1].to_owned()
        }
    }
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

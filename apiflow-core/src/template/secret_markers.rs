//! Replaces the secrets of an expanded request by markers, so that it can be journalled.

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::expand::{Expanded, Piece, join_pieces, percent_encode};
use crate::origin::SecretOrigin;
use crate::ports::{HttpRequest, RequestBody, SecretPlace, SecretUse};

/// A request whose secrets are separate from its text.
#[derive(Debug, Clone)]
pub(crate) struct DraftRequest {
    pub(crate) method: String,
    /// The URL, whose text is already percent-encoded where necessary.
    pub(crate) url: Vec<Piece>,
    pub(crate) headers: Vec<(String, Vec<Piece>)>,
    pub(crate) body: DraftBody,
    /// References to further secrets that the reply may echo.
    pub(crate) masked_secrets: Vec<String>,
    pub(crate) credential_origins: Vec<SecretOrigin>,
    pub(crate) timeout: Duration,
}

/// The body of a draft.
#[derive(Debug, Clone)]
pub(crate) enum DraftBody {
    None,
    Json(Expanded),
    /// Names and values, not yet percent-encoded.
    Form(Vec<(String, Vec<Piece>)>),
    Raw(Vec<Piece>),
}

impl DraftRequest {
    /// Replaces each secret by a marker.
    ///
    /// A marker is a hash of all the request's text, and its occurrences are counted afterwards: nothing that an input
    /// or a reply contains can be mistaken for a marker, nor change where the secret is written.
    pub(crate) fn seal_request(self) -> HttpRequest {
        let plain = self.render_parts(&mut |_, _| String::new());
        let text = plain.whole_text();
        for salt in 0_u32.. {
            let mut uses = BTreeMap::new();
            let rendered = self.render_parts(&mut |name, place| {
                let marker = secret_marker(&text, salt, name, place);
                *uses.entry((name.to_owned(), place)).or_insert(0) += 1;
                marker
            });
            let whole = rendered.whole_text();
            let unique = uses.iter().all(|((name, place), count)| {
                whole.matches(&secret_marker(&text, salt, name, *place)).count() == *count
            });
            if unique {
                return self
                    .finish_request(rendered, uses.into_keys(), |name, place| secret_marker(&text, salt, name, place));
            }
        }
        unreachable!("a text of bounded length cannot contain every marker")
    }

    fn render_parts(&self, write: &mut impl FnMut(&str, SecretPlace) -> String) -> Rendered {
        let url = join_pieces(&self.url, &mut |name| write(name, SecretPlace::Url));
        let headers = self
            .headers
            .iter()
            .map(|(name, pieces)| (name.clone(), join_pieces(pieces, &mut |secret| write(secret, SecretPlace::Header))))
            .collect();
        let body = match &self.body {
            DraftBody::None => RequestBody::None,
            DraftBody::Json(json) => match json.to_value(&mut |name| write(name, SecretPlace::Json)) {
                Some(value) => RequestBody::Text(value.to_string()),
                None => RequestBody::None,
            },
            DraftBody::Form(pairs) => RequestBody::Text(join_pairs(pairs, &mut |name| write(name, SecretPlace::Url))),
            DraftBody::Raw(pieces) => RequestBody::Text(join_pieces(pieces, &mut |name| write(name, SecretPlace::Raw))),
        };
        Rendered { url, headers, body }
    }

    fn finish_request(
        self,
        rendered: Rendered,
        uses: impl Iterator<Item = (String, SecretPlace)>,
        marker: impl Fn(&str, SecretPlace) -> String,
    ) -> HttpRequest {
        let secrets: Vec<SecretUse> =
            uses.map(|(name, place)| SecretUse { marker: marker(&name, place), name, place }).collect();
        let masked_secrets = self.masked_secrets.into_iter();
        let masked_secrets = masked_secrets.filter(|name| secrets.iter().all(|used| used.name != *name)).collect();
        HttpRequest {
            method: self.method,
            url: rendered.url,
            headers: rendered.headers,
            body: rendered.body,
            masked_secrets,
            secrets,
            credential_origins: self.credential_origins,
            timeout: self.timeout,
        }
    }
}

/// Formats pairs as a query or a form.
pub(crate) fn join_pairs(pairs: &[(String, Vec<Piece>)], write: &mut impl FnMut(&str) -> String) -> String {
    let encoded: Vec<String> =
        pairs.iter().map(|(name, value)| join_pieces(&encode_pair(name, value), write)).collect();
    encoded.join("&")
}

/// Encodes one pair as pieces of a URL.
pub(crate) fn encode_pair(name: &str, value: &[Piece]) -> Vec<Piece> {
    let mut pieces = vec![Piece::Text(format!("{}=", percent_encode(name)))];
    pieces.extend(value.iter().map(|piece| match piece {
        Piece::Text(text) => Piece::Text(percent_encode(text)),
        Piece::Secret(secret) => Piece::Secret(secret.clone()),
    }));
    pieces
}

struct Rendered {
    url: String,
    headers: Vec<(String, String)>,
    body: RequestBody,
}

impl Rendered {
    fn whole_text(&self) -> String {
        let mut text = self.url.clone();
        for (name, value) in &self.headers {
            text.extend(["\n", name, ": ", value]);
        }
        if let RequestBody::Text(body) = &self.body {
            text.extend(["\n\n", body]);
        }
        text
    }
}

/// Returns a marker of letters and digits only, which needs no escaping in a URL, a header or a JSON string.
fn secret_marker(text: &str, salt: u32, name: &str, place: SecretPlace) -> String {
    use std::fmt::Write as _;
    let mut hash = Sha256::new();
    for part in [text, &salt.to_string(), name, &format!("{place:?}")] {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let mut marker = String::from("apiflowsecret");
    for byte in hash.finalize().iter().take(20) {
        write!(marker, "{byte:02x}").expect("writing to a string cannot fail");
    }
    marker
}

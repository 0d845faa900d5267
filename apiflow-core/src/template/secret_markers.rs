//! Replaces the secrets of an expanded request by markers, so that it can be journalled.

use std::collections::BTreeMap;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::expand::{Expanded, Piece, join_pieces, percent_encode};
use crate::origin::SecretOrigin;
use crate::ports::{HttpRequest, PartContent, RequestBody, RequestPart, SecretPlace, SecretUse, SentMedia};

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
    Multipart(Vec<DraftPart>),
    Media(SentMedia),
}

/// A part of a multipart body of a draft.
#[derive(Debug, Clone)]
pub(crate) struct DraftPart {
    pub(crate) name: String,
    pub(crate) file_name: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) content: DraftContent,
}

/// The content of a part.
#[derive(Debug, Clone)]
pub(crate) enum DraftContent {
    Text(Vec<Piece>),
    Media(SentMedia),
}

impl DraftRequest {
    /// Replaces each secret by a marker.
    ///
    /// A marker is a hash of all the request's text, and its occurrences are counted afterwards: nothing that an input
    /// or a reply contains can be mistaken for a marker, nor change where the secret is written. The boundary of a
    /// multipart body is derived in the same way.
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
            let boundary = multipart_boundary(&text, salt);
            if unique && !whole.contains(&boundary) {
                return self.finish_request(rendered, boundary, uses.into_keys(), |name, place| {
                    secret_marker(&text, salt, name, place)
                });
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
            DraftBody::Media(media) => RequestBody::Media(media.clone()),
            DraftBody::Multipart(parts) => RequestBody::Multipart {
                boundary: String::new(),
                parts: parts.iter().map(|part| part.render(write)).collect(),
            },
        };
        Rendered { url, headers, body }
    }

    fn finish_request(
        self,
        mut rendered: Rendered,
        multipart_boundary: String,
        uses: impl Iterator<Item = (String, SecretPlace)>,
        marker: impl Fn(&str, SecretPlace) -> String,
    ) -> HttpRequest {
        let secrets: Vec<SecretUse> =
            uses.map(|(name, place)| SecretUse { marker: marker(&name, place), name, place }).collect();
        if let RequestBody::Multipart { boundary, .. } = &mut rendered.body {
            let content_type = format!("multipart/form-data; boundary={multipart_boundary}");
            rendered.headers.push(("Content-Type".to_owned(), content_type));
            *boundary = multipart_boundary;
        }
        let masked_secrets = self.masked_secrets.into_iter();
        let masked_secrets = masked_secrets.filter(|name| secrets.iter().all(|used| used.name != *name)).collect();
        HttpRequest {
            method: self.method,
            url: rendered.url,
            headers: rendered.headers,
            body: rendered.body,
            masked_secrets,
            secrets,
            media: Vec::new(),
            auth: None,
            credential_origins: self.credential_origins,
            timeout: self.timeout,
        }
    }
}

impl DraftPart {
    fn render(&self, write: &mut impl FnMut(&str, SecretPlace) -> String) -> RequestPart {
        RequestPart {
            name: self.name.clone(),
            file_name: self.file_name.clone(),
            content_type: self.content_type.clone(),
            content: match &self.content {
                DraftContent::Text(pieces) => {
                    PartContent::Text(join_pieces(pieces, &mut |name| write(name, SecretPlace::Raw)))
                }
                DraftContent::Media(media) => PartContent::Media(media.clone()),
            },
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
        match &self.body {
            RequestBody::None => {}
            RequestBody::Text(body) => text.extend(["\n\n", body]),
            RequestBody::Media(media) => text.extend(["\n\n", &media.describe()]),
            RequestBody::Multipart { parts, .. } => {
                for part in parts {
                    text.extend(["\n\n", &part.name, "\n", part.file_name.as_deref().unwrap_or_default(), "\n"]);
                    match &part.content {
                        PartContent::Text(content) => text.push_str(content),
                        PartContent::Media(media) => text.push_str(&media.describe()),
                    }
                }
            }
        }
        text
    }
}

/// Returns a marker of letters and digits only, which needs no escaping in a URL, a header or a JSON string.
fn secret_marker(text: &str, salt: u32, name: &str, place: SecretPlace) -> String {
    derive_word("apiflowsecret", &[text, &salt.to_string(), name, &format!("{place:?}")])
}

/// Returns the boundary of a multipart body.
fn multipart_boundary(text: &str, salt: u32) -> String {
    derive_word("apiflowboundary", &[text, &salt.to_string()])
}

/// Returns a word of letters and digits that is derived from texts.
pub(crate) fn derive_word(prefix: &str, parts: &[&str]) -> String {
    use std::fmt::Write as _;
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let mut marker = String::from(prefix);
    for byte in hash.finalize().iter().take(20) {
        write!(marker, "{byte:02x}").expect("writing to a string cannot fail");
    }
    marker
}

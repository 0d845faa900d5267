//! Signed links: whoever has one can read an artifact until it expires, without a token.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde::Deserialize;

use crate::api::BASE_PATH;

/// The purpose that the key of links is derived for.
pub(crate) const KEY_PURPOSE: &str = "artifact links";

/// Signs links to artifacts, and verifies them. Has no `Debug`, so that the key is not printed.
#[derive(Clone)]
pub(crate) struct LinkSigner {
    key: hmac::Key,
    /// The URL under which users reach the server, without a trailing slash.
    public_url: String,
}

/// The signature in the query of a link.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct LinkSignature {
    /// When the link expires, in seconds since 1970.
    pub(crate) expires: u64,
    /// HMAC-SHA256 of the id and the expiry, in base64url without padding.
    pub(crate) signature: String,
}

impl LinkSigner {
    /// Creates a signer with a key, for a server with this public URL.
    pub(crate) fn new(key: &[u8; 32], public_url: &str) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key), public_url: public_url.to_owned() }
    }

    /// Returns a link to an artifact that is valid until a time in seconds since 1970.
    pub(crate) fn sign_link(&self, id: &str, expires: u64) -> String {
        format!("{}{}", self.public_url, self.sign_path(id, expires))
    }

    /// Returns the path and query of such a link, for pages of this server.
    pub(crate) fn sign_path(&self, id: &str, expires: u64) -> String {
        let tag = hmac::sign(&self.key, &signed_text(id, expires));
        let signature = URL_SAFE_NO_PAD.encode(tag.as_ref());
        format!("{}{id}?expires={expires}&signature={signature}", artifact_url_prefix(""))
    }

    /// Returns whether a link was signed here for this artifact and has not expired. The comparison takes the same time
    /// for each wrong signature.
    pub(crate) fn verify_link(&self, id: &str, link: &LinkSignature, now_s: u64) -> bool {
        let Ok(tag) = URL_SAFE_NO_PAD.decode(&link.signature) else { return false };
        hmac::verify(&self.key, &signed_text(id, link.expires), &tag).is_ok() && now_s < link.expires
    }
}

fn signed_text(id: &str, expires: u64) -> Vec<u8> {
    format!("{expires}\n{id}").into_bytes()
}

/// Returns what comes before the id in the URL of an artifact.
pub(crate) fn artifact_url_prefix(public_url: &str) -> String {
    format!("{public_url}{BASE_PATH}/artifacts/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_link(link: &str) -> LinkSignature {
        let (_, query) = link.split_once('?').expect("a link has a query");
        serde_urlencoded::from_str(query).expect("a link's query is read")
    }

    #[test]
    fn a_link_opens_its_artifact_until_it_expires() {
        let signer = LinkSigner::new(&[1; 32], "https://a.example");
        let link = signer.sign_link("a", 1_000);
        assert!(link.starts_with("https://a.example/api/v1/artifacts/a?expires=1000&signature="), "{link}");
        let link = parse_link(&link);
        assert!(signer.verify_link("a", &link, 999));
        assert!(!signer.verify_link("a", &link, 1_000));
        assert!(!signer.verify_link("b", &link, 999));
        assert!(!signer.verify_link("a", &LinkSignature { expires: 2_000, ..link.clone() }, 999));
        assert!(!LinkSigner::new(&[2; 32], "https://a.example").verify_link("a", &link, 999));
        for signature in ["", "!", &link.signature[1..], &format!("{}A", link.signature)] {
            let forged = LinkSignature { signature: signature.to_owned(), ..link.clone() };
            assert!(!signer.verify_link("a", &forged, 999), "{signature}");
        }
    }
}

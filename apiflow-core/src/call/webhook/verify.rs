//! Verifies the signatures of webhooks.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::{hmac, signature};
use serde_json::Value;

use super::WebhookSignature;
use crate::digest::hash_bytes;
use crate::ports::Timestamp;

/// Maximum difference between the time of a message and ours, in milliseconds.
///
/// Source: Standard Webhooks, and fal's documentation.
const MAX_AGE_MS: u64 = 300_000;

/// Why a message is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// A header that the kind of signature needs is missing or malformed.
    #[error("the header `{0}` is missing or malformed")]
    Header(String),
    /// The message is too old, or from the future.
    #[error("the message is not from the last five minutes")]
    Late,
    /// No signature fits.
    #[error("the signature is invalid")]
    Forged,
    /// Our own key is unusable.
    #[error("the signing secret is unusable: {0}")]
    Key(&'static str),
}

/// What a signature is verified with.
#[derive(Clone)]
pub enum WebhookKey {
    /// Nothing: the message is not signed.
    None,
    /// The shared secret, as the provider shows it.
    Secret(String),
    /// Public keys of the provider, 32 bytes each.
    Public(Vec<Vec<u8>>),
}

/// Verifies a message. `headers` have names in any case.
///
/// # Errors
/// [`WebhookError`] says why the message is not accepted.
pub fn verify_webhook(
    kind: &WebhookSignature,
    key: &WebhookKey,
    headers: &[(String, String)],
    body: &[u8],
    now: Timestamp,
) -> Result<(), WebhookError> {
    match (kind, key) {
        (WebhookSignature::None, _) => Ok(()),
        (WebhookSignature::StandardWebhooks, WebhookKey::Secret(secret)) => verify_standard(secret, headers, body, now),
        (WebhookSignature::HmacSha256Hex { header, prefix }, WebhookKey::Secret(secret)) => {
            let sent = require_header(headers, header)?.trim();
            let digits = sent.strip_prefix(prefix.as_str()).ok_or_else(|| WebhookError::Header(header.clone()))?;
            let signed = decode_hex(digits).ok_or_else(|| WebhookError::Header(header.clone()))?;
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            hmac::verify(&key, body, &signed).map_err(|_| WebhookError::Forged)
        }
        (WebhookSignature::Ed25519Jwks { .. }, WebhookKey::Public(keys)) => verify_ed25519(keys, headers, body, now),
        (
            WebhookSignature::StandardWebhooks
            | WebhookSignature::HmacSha256Hex { .. }
            | WebhookSignature::Ed25519Jwks { .. },
            WebhookKey::None | WebhookKey::Secret(_) | WebhookKey::Public(_),
        ) => Err(WebhookError::Key("it is not of the kind that the rule needs")),
    }
}

/// Source: <https://www.standardwebhooks.com>.
fn verify_standard(
    secret: &str,
    headers: &[(String, String)],
    body: &[u8],
    now: Timestamp,
) -> Result<(), WebhookError> {
    let id = require_header(headers, "webhook-id")?;
    let timestamp = require_header(headers, "webhook-timestamp")?;
    check_age(timestamp, "webhook-timestamp", now)?;
    let secret = secret.strip_prefix("whsec_").unwrap_or(secret);
    let secret = STANDARD.decode(secret).map_err(|_| WebhookError::Key("it must be base64 after `whsec_`"))?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
    let message = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat();
    let signatures = require_header(headers, "webhook-signature")?.split(' ');
    let mut decoded = signatures.filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok());
    if decoded.any(|signed| hmac::verify(&key, &message, &signed).is_ok()) { Ok(()) } else { Err(WebhookError::Forged) }
}

/// Source: fal's documentation of webhooks.
fn verify_ed25519(
    keys: &[Vec<u8>],
    headers: &[(String, String)],
    body: &[u8],
    now: Timestamp,
) -> Result<(), WebhookError> {
    let header = |name: &str| require_header(headers, &format!("x-fal-webhook-{name}"));
    let timestamp = header("timestamp")?;
    check_age(timestamp, "x-fal-webhook-timestamp", now)?;
    let message = [header("request-id")?, header("user-id")?, timestamp, &hash_bytes(body)].join("\n");
    let signed = decode_hex(header("signature")?);
    let signed = signed.ok_or_else(|| WebhookError::Header("x-fal-webhook-signature".to_owned()))?;
    let verifies = |key: &Vec<u8>| {
        signature::UnparsedPublicKey::new(&signature::ED25519, key).verify(message.as_bytes(), &signed).is_ok()
    };
    if keys.iter().any(verifies) { Ok(()) } else { Err(WebhookError::Forged) }
}

/// Reads the Ed25519 keys of a JSON Web Key Set (RFC 8037).
pub fn read_jwks(document: &Value) -> Vec<Vec<u8>> {
    let keys = document["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    let usable = keys.iter().filter(|key| key["kty"] == "OKP" && key["crv"] == "Ed25519");
    usable.filter_map(|key| URL_SAFE_NO_PAD.decode(key["x"].as_str()?.trim_end_matches('=')).ok()).collect()
}

fn check_age(timestamp: &str, header: &str, now: Timestamp) -> Result<(), WebhookError> {
    let seconds: i64 = timestamp.trim().parse().map_err(|_| WebhookError::Header(header.to_owned()))?;
    let difference = now.0.abs_diff(seconds.saturating_mul(1000));
    if difference <= MAX_AGE_MS { Ok(()) } else { Err(WebhookError::Late) }
}

fn require_header<'a>(headers: &'a [(String, String)], name: &str) -> Result<&'a str, WebhookError> {
    let found = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.as_str()).ok_or_else(|| WebhookError::Header(name.to_owned()))
}

fn decode_hex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.trim().as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pairs = digits.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    pairs.map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

#[cfg(test)]
mod tests {
    use ring::signature::{Ed25519KeyPair, KeyPair as _};
    use serde_json::json;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1000)
    }

    /// The published vector of Standard Webhooks.
    #[test]
    fn standard_webhooks_are_verified() {
        let key = WebhookKey::Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned());
        let body = br#"{"test": 2432232314}"#;
        let signed = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let check = |id: &str, signature: &str, body: &[u8], now: i64| {
            let sent =
                headers(&[("Webhook-Id", id), ("webhook-timestamp", "1614265330"), ("webhook-signature", signature)]);
            verify_webhook(&WebhookSignature::StandardWebhooks, &key, &sent, body, at(now))
        };
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        assert_eq!(check(id, signed, body, 1_614_265_330), Ok(()));
        assert_eq!(check(id, &format!("v1,bm9uZQ== v2,x {signed}"), body, 1_614_265_600), Ok(()));
        assert_eq!(check("msg_other", signed, body, 1_614_265_330), Err(WebhookError::Forged));
        assert_eq!(check(id, signed, b"{}", 1_614_265_330), Err(WebhookError::Forged));
        for now in [1_614_265_330 + 301, 1_614_265_330 - 301] {
            assert_eq!(check(id, signed, body, now), Err(WebhookError::Late));
        }
        let missing = verify_webhook(&WebhookSignature::StandardWebhooks, &key, &[], body, at(0));
        assert_eq!(missing, Err(WebhookError::Header("webhook-id".to_owned())));
    }

    /// The vector of RFC 4231, test case 2.
    #[test]
    fn hexadecimal_signatures_are_verified() {
        let kind =
            WebhookSignature::HmacSha256Hex { header: "X-BFL-Signature".to_owned(), prefix: "sha256=".to_owned() };
        let key = WebhookKey::Secret("Jefe".to_owned());
        let digits = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        let check = |signature: &str| {
            let sent = headers(&[("x-bfl-signature", signature)]);
            verify_webhook(&kind, &key, &sent, b"what do ya want for nothing?", at(0))
        };
        assert_eq!(check(&format!("sha256={digits}")), Ok(()));
        assert_eq!(check(&format!("sha256={}", digits.replace('5', "6"))), Err(WebhookError::Forged));
        for malformed in [digits, "sha256=5bd", "sha256=xy", ""] {
            assert_eq!(check(malformed), Err(WebhookError::Header("X-BFL-Signature".to_owned())), "{malformed}");
        }
    }

    #[test]
    fn messages_signed_with_a_published_key_are_verified() {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).expect("a seed");
        let jwk = |bytes: &[u8]| json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(bytes)});
        let jwks = json!({"keys": [{"kty": "RSA"}, jwk(&[1; 32]), jwk(pair.public_key().as_ref())]});
        let key = WebhookKey::Public(read_jwks(&jwks));
        let body = br#"{"status":"OK"}"#;
        let message = ["r1", "u1", "1000", &hash_bytes(body)].join("\n");
        let signed = pair.sign(message.as_bytes());
        let nibbles = signed.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let digits: String = nibbles.filter_map(|nibble| char::from_digit(nibble.into(), 16)).collect();
        let kind = WebhookSignature::Ed25519Jwks { url: "https://rest.fal.ai/.well-known/jwks.json".to_owned() };
        let check = |request: &str, now: i64| {
            let sent = headers(&[
                ("x-fal-webhook-request-id", request),
                ("x-fal-webhook-user-id", "u1"),
                ("x-fal-webhook-timestamp", "1000"),
                ("x-fal-webhook-signature", &digits),
            ]);
            verify_webhook(&kind, &key, &sent, body, at(now))
        };
        assert_eq!(check("r1", 1000), Ok(()));
        assert_eq!(check("r2", 1000), Err(WebhookError::Forged));
        assert_eq!(check("r1", 1301), Err(WebhookError::Late));
    }
}

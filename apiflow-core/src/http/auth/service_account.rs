//! Assertions of Google service accounts: JSON Web Tokens that are signed with RS256.
//!
//! Source: RFC 7523, and Google's guide to service accounts without a client library.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

use crate::ports::HttpError;

/// Lifetime of an assertion, in seconds: the maximum that Google allows.
const ASSERTION_LIFETIME_S: u64 = 3600;

/// Signs an assertion. `key` is the JSON file of the account, `now` the time in seconds since 1970.
pub(super) fn sign_assertion(key: &str, token_url: &str, scope: &str, now: u64) -> Result<String, HttpError> {
    let refused = |what: &str| {
        HttpError::Secret(format!("the key of the service account {what}: it must be the JSON file that Google issues"))
    };
    let key: Value = serde_json::from_str(key).map_err(|_| refused("is not JSON"))?;
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let email = text("client_email").ok_or_else(|| refused("has no `client_email`"))?;
    let pem = text("private_key").ok_or_else(|| refused("has no `private_key`"))?;
    let der = decode_pem(pem).ok_or_else(|| refused("has an invalid `private_key`"))?;
    let pair = RsaKeyPair::from_pkcs8(&der).map_err(|_| refused("has an invalid `private_key`"))?;
    let mut header = json!({"alg": "RS256", "typ": "JWT"});
    if let Some(id) = text("private_key_id") {
        header["kid"] = json!(id);
    }
    let claims = json!({
        "iss": email, "scope": scope, "aud": token_url, "iat": now, "exp": now + ASSERTION_LIFETIME_S,
    });
    let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
    let signed = format!("{}.{}", encode(&header), encode(&claims));
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
        .map_err(|_| refused("cannot sign"))?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// Decodes a PKCS #8 key in PEM (RFC 7468).
fn decode_pem(pem: &str) -> Option<Vec<u8>> {
    let (_, rest) = pem.split_once("-----BEGIN PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END PRIVATE KEY-----")?;
    let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    STANDARD.decode(body).ok()
}

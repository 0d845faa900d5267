//! Signatures of links and webhooks.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::call::{encode_hex, hash_bytes};

/// The secret of Replicate's webhooks, as `GET /v1/webhooks/default/secret` returns it. A published test vector.
pub(crate) const REPLICATE_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The keys of a stand-in, made at its start.
pub(crate) struct Signer {
    links: hmac::Key,
    webhooks: Ed25519KeyPair,
}

impl Signer {
    pub(crate) fn new() -> Self {
        let random = SystemRandom::new();
        let mut seed = [0; 32];
        random.fill(&mut seed).expect("the operating system has random numbers");
        let webhooks = Ed25519KeyPair::from_seed_unchecked(&seed).expect("a seed has 32 bytes");
        Self { links: hmac::Key::new(hmac::HMAC_SHA256, &seed), webhooks }
    }

    /// Signs a path of this stand-in that is valid until `expires` (ms since the start).
    pub(crate) fn sign_link(&self, path: &str, expires: u64) -> String {
        URL_SAFE_NO_PAD.encode(hmac::sign(&self.links, format!("{path}?{expires}").as_bytes()))
    }

    /// Returns the key with which fal's webhooks are verified, as a set of JSON Web Keys.
    pub(crate) fn build_key_set(&self) -> Value {
        let key = URL_SAFE_NO_PAD.encode(self.webhooks.public_key());
        json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "1", "use": "sig", "alg": "EdDSA", "x": key}]})
    }

    /// Signs a webhook as fal does: request id, user id, timestamp and the digest of the body, as hexadecimal digits.
    pub(crate) fn sign_fal_webhook(&self, request_id: &str, user_id: &str, timestamp: u64, body: &[u8]) -> String {
        let message = format!("{request_id}\n{user_id}\n{timestamp}\n{}", hash_bytes(body));
        encode_hex(self.webhooks.sign(message.as_bytes()).as_ref())
    }
}

/// Returns `sha256=` and the HMAC of a body, as Black Forest Labs signs webhooks.
pub(crate) fn sign_bfl_webhook(secret: &str, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    format!("sha256={}", encode_hex(hmac::sign(&key, body).as_ref()))
}

/// Returns the value of `webhook-signature` of Standard Webhooks; `None` if the secret has the wrong form.
pub(crate) fn sign_standard_webhook(secret: &str, id: &str, timestamp: u64, body: &[u8]) -> Option<String> {
    let key = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    let message = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    Some(format!("v1,{}", STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), &message))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standard_signature_agrees_with_the_published_vector() {
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signature = sign_standard_webhook(REPLICATE_SECRET, id, 1_614_265_330, b"{\"test\": 2432232314}");
        assert_eq!(signature.as_deref(), Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn a_link_of_another_path_or_time_has_another_signature() {
        let signer = Signer::new();
        assert_eq!(signer.sign_link("/a", 1), signer.sign_link("/a", 1));
        assert_ne!(signer.sign_link("/a", 1), signer.sign_link("/b", 1));
        assert_ne!(signer.sign_link("/a", 1), signer.sign_link("/a", 2));
    }
}

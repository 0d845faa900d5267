//! Tokens: 256 random bits, kept as SHA-256.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::hex::encode_hex;

/// What every token begins with, so that one is recognised where it should not be.
pub const PREFIX: &str = "af_";

/// A new token.
pub fn generate_token() -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random_bytes()))
}

/// SHA-256 of a token, in hex. No salt: there is nothing to guess in 256 random bits.
pub fn hash(token: &str) -> String {
    encode_hex(&Sha256::digest(token.as_bytes()))
}

/// 32 bytes of the system's randomness.
pub(crate) fn random_bytes() -> [u8; 32] {
    rand::random()
}

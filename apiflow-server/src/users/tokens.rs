//! Tokens: 256 random bits, stored as SHA-256.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::hex::encode_hex;

/// Prefix of every token, so that leaked ones are recognized.
pub const PREFIX: &str = "af_";

/// Generates a new token.
pub fn generate_token() -> String {
    format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(random_bytes()))
}

/// Generates a password of 24 characters.
pub(crate) fn generate_password() -> String {
    generate_token().trim_start_matches(PREFIX).chars().take(24).collect()
}

/// Returns the SHA-256 of a token, in hex. It needs no salt: 256 random bits cannot be guessed.
pub fn hash(token: &str) -> String {
    encode_hex(&Sha256::digest(token.as_bytes()))
}

/// Returns 32 bytes of the system's randomness.
pub(crate) fn random_bytes() -> [u8; 32] {
    rand::random()
}

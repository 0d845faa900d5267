//! Encryption of values before they are stored.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use ring::hmac;

use crate::hex::encode_hex;
use crate::users::tokens::random_bytes;

/// First byte of a sealed value: the version of its format.
const FORMAT_VERSION: u8 = 1;

const NONCE_BYTES: usize = 24;

/// Seals values with XChaCha20-Poly1305, bound to their names. Has no `Debug`, so that the key is not printed.
#[derive(Clone)]
pub struct Sealer {
    cipher: XChaCha20Poly1305,
    /// The key that others are derived from.
    derivation: hmac::Key,
}

/// Why there is no key to seal with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text is not a key.
    #[error("{from} is not a valid key: it must be 32 bytes as 64 hex digits or as base64 (`openssl rand -hex 32`)")]
    Malformed {
        /// The setting or file that contains the text.
        from: String,
    },
    /// The key file cannot be read or written.
    #[error("the key file {path} cannot be used: {source}")]
    File {
        /// Path of the key file.
        path: String,
        /// The error of the file system.
        source: io::Error,
    },
}

impl Sealer {
    /// Creates a sealer with a key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(key.into()), derivation: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// Reads a key as 64 hex digits or as base64; `from` names its source in errors.
    pub fn from_text(text: &str, from: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        let bytes = decode_hex(text).or_else(|| STANDARD.decode(text).ok());
        let key: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
        key.map(|key| Self::new(&key)).ok_or_else(|| KeyError::Malformed { from: from.to_owned() })
    }

    /// Reads the key from a file; a missing file is created with a random key, readable by its owner only.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let named = |source| KeyError::File { path: path.display().to_string(), source };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => match create(path) {
                Ok(text) => text,
                // Another process created it first.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    fs::read_to_string(path).map_err(named)?
                }
                Err(error) => return Err(named(error)),
            },
            Err(error) => return Err(named(error)),
        };
        Self::from_text(&text, &path.display().to_string())
    }

    /// Derives a key for a purpose.
    pub(crate) fn derive_key(&self, purpose: &str) -> [u8; 32] {
        let mut key = [0; 32];
        key.copy_from_slice(hmac::sign(&self.derivation, purpose.as_bytes()).as_ref());
        key
    }

    /// Seals a value for a name.
    pub(crate) fn seal_value(&self, name: &str, value: &str) -> Result<Vec<u8>, String> {
        self.seal_with(rand::random(), name, value)
    }

    /// Seals a value for a name so that the same value gives the same text each time, and can be recognized. The nonce
    /// differs for different values, because it is derived from them.
    pub(crate) fn seal_repeatably(&self, name: &str, value: &str) -> Result<Vec<u8>, String> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.derive_key("nonce of a repeatable seal"));
        let text = format!("{} {name} {value}", name.len());
        let mut nonce = [0; NONCE_BYTES];
        nonce.copy_from_slice(&hmac::sign(&key, text.as_bytes()).as_ref()[..NONCE_BYTES]);
        self.seal_with(nonce, name, value)
    }

    fn seal_with(&self, nonce: [u8; NONCE_BYTES], name: &str, value: &str) -> Result<Vec<u8>, String> {
        let payload = Payload { msg: value.as_bytes(), aad: name.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|error| error.to_string())?;
        Ok([&[FORMAT_VERSION], nonce.as_slice(), &sealed].concat())
    }

    /// Opens the sealed value of a name.
    pub(crate) fn open(&self, name: &str, sealed: &[u8]) -> Result<String, String> {
        let failed = || format!("secret `{name}` was sealed with another key: set it again, or restore the key");
        let (nonce, sealed) = sealed
            .split_first()
            .filter(|(format, _)| **format == FORMAT_VERSION)
            .and_then(|(_, rest)| rest.split_first_chunk::<NONCE_BYTES>())
            .ok_or_else(failed)?;
        let payload = Payload { msg: sealed, aad: name.as_bytes() };
        let opened = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| failed())?;
        String::from_utf8(opened).map_err(|_| failed())
    }
}

/// Writes the key completely before the file gets its name, so that nobody reads half of it.
fn create(path: &Path) -> io::Result<String> {
    let text = encode_hex(&random_bytes());
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&draft)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let named = written.and_then(|()| fs::hard_link(&draft, path));
    fs::remove_file(&draft)?;
    named.map(|()| text)
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_under_its_own_name_and_key_only() {
        let sealer = Sealer::new(&[7; 32]);
        let sealed = sealer.seal_value("TOKEN", "r8_canary").expect("sealing works");
        assert!(!sealed.windows(9).any(|window| window == b"r8_canary"));
        assert_eq!(sealer.open("TOKEN", &sealed).as_deref(), Ok("r8_canary"));
        for (name, key) in [("OTHER", [7; 32]), ("TOKEN", [8; 32])] {
            assert!(Sealer::new(&key).open(name, &sealed).is_err_and(|error| error.contains(name)), "{name}");
        }
        let twice = [(); 2].map(|()| sealer.seal_repeatably("TOKEN", "r8_canary").expect("sealing works"));
        assert!(twice[0] == twice[1] && twice[0] != sealed, "only this way of sealing is repeatable");
        assert_ne!(sealer.seal_repeatably("TOKEN", "r8_canary2").expect("sealing works")[..25], twice[0][..25]);
        assert_eq!(sealer.open("TOKEN", &twice[0]).as_deref(), Ok("r8_canary"));
        assert!(sealer.open("TOKEN", &[]).is_err());
        assert!(sealer.open("TOKEN", &sealed[..20]).is_err());
    }

    #[test]
    fn a_key_is_64_hex_digits_or_base64() {
        for (text, fine) in [
            ("00".repeat(32), true),
            (STANDARD.encode([1; 32]), true),
            ("00".repeat(16), false),
            ("correct horse battery staple".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(Sealer::from_text(&text, "APIFLOW_SECRET_KEY").is_ok(), fine, "{text}");
        }
    }

    #[test]
    fn a_key_file_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let path = folder.path().join("secret.key");
        let sealed =
            Sealer::from_file(&path).ok().and_then(|first| first.seal_value("A", "b").ok()).expect("a key was made");
        let second = Sealer::from_file(&path).expect("the key is read");
        assert_eq!(second.open("A", &sealed).as_deref(), Ok("b"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&path).expect("the file is there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(folder.path()).expect("the folder is there").count(), 1);
    }
}
